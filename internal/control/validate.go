package control

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/schedule"
)

// MinMemory is the smallest memory limit: less does not hold a process and
// what the kernel keeps for it.
const MinMemory = 6 << 20

const (
	maxStrings  = 4096    // arguments, variables, mounts … in one list
	maxText     = 1 << 20 // bytes of one list together
	maxDuration = api.Duration(365 * 24 * time.Hour)
)

// ValidateSpec checks everything about a spec that can be known without the
// node and the image. The error is an *api.Error that names the field.
func ValidateSpec(s *api.InstanceSpec) error {
	for _, check := range []func(*api.InstanceSpec) error{
		validateWorkload, validateProcess, validateNames, validateNetworks, validatePorts,
		validateMounts, validateResources, validateSecurity, validateNamespaces, validatePolicy, validateLog, validateSpot, validateMetadata,
		validatePlacement,
	} {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

func validatePlacement(s *api.InstanceSpec) error {
	_, err := schedule.Parse(s.Placement)
	return err
}

func validateWorkload(s *api.InstanceSpec) error {
	if s.Image == "" {
		return api.Invalid("spec.image", "an instance needs an image")
	}
	if strings.ContainsAny(s.Image, " \t\n\x00") {
		return api.Invalid("spec.image", "image %q is not an image reference", s.Image)
	}
	switch s.Isolation {
	case "", api.IsolationContainer:
	case api.IsolationMicroVM, api.IsolationVM, api.IsolationUnikernel:
		return api.Errorf(api.CodeNotSupported, "isolation %s is not built yet", s.Isolation).InField("spec.isolation").
			WithHint("use the isolation container")
	default:
		return api.Invalid("spec.isolation", "unknown isolation %q", s.Isolation).
			WithHint("one of container, microvm, vm, unikernel")
	}
	return nil
}

func validateProcess(s *api.InstanceSpec) error {
	lists := []struct {
		field string
		list  []string
	}{
		{"entrypoint", s.Entrypoint}, {"command", s.Command}, {"env", s.Env}, {"groups", s.Groups},
	}
	for _, l := range lists {
		if err := validateStrings("spec."+l.field, l.list); err != nil {
			return err
		}
	}
	for i, kv := range s.Env {
		if k, _, ok := strings.Cut(kv, "="); !ok || k == "" {
			return api.Invalid(fmt.Sprintf("spec.env[%d]", i), "environment %q is not KEY=VALUE", kv)
		}
	}
	if s.WorkingDir != "" && !absolute(s.WorkingDir) {
		return api.Invalid("spec.workingDir", "working directory %q is not an absolute path", s.WorkingDir)
	}
	if strings.ContainsAny(s.User, " \t\n\x00") || strings.Count(s.User, ":") > 1 {
		return api.Invalid("spec.user", "user %q is not user[:group]", s.User)
	}
	if s.StdinOnce && !s.Stdin {
		return api.Invalid("spec.stdinOnce", "stdinOnce needs stdin")
	}
	if s.StopSignal != "" && !ValidSignal(s.StopSignal) {
		return api.Invalid("spec.stopSignal", "unknown signal %q", s.StopSignal).WithHint("a name such as SIGTERM, or a number from 1 to 64")
	}
	return validateTimeout("spec.stopTimeout", s.StopTimeout)
}

// validateStrings bounds a list and keeps what C cannot hold out of it.
func validateStrings(field string, list []string) error {
	if len(list) > maxStrings {
		return api.Invalid(field, "%d elements are more than %d", len(list), maxStrings)
	}
	size := 0
	for i, s := range list {
		if strings.ContainsRune(s, 0) {
			return api.Invalid(fmt.Sprintf("%s[%d]", field, i), "%q contains a zero byte", s)
		}
		size += len(s)
	}
	if size > maxText {
		return api.Invalid(field, "%d bytes are more than %d", size, maxText)
	}
	return nil
}

// validateTimeout allows -1s and less for "never".
func validateTimeout(field string, d *api.Duration) error {
	if d != nil && *d > maxDuration {
		return api.Invalid(field, "%s is too long", d).WithHint("at most %s", maxDuration)
	}
	return nil
}

// absolute reports whether p is a path from the root that a mount or a process
// can use.
func absolute(p string) bool {
	return strings.HasPrefix(p, "/") && len(p) < 4096 && !strings.ContainsRune(p, 0)
}

// What an instance's log may be bounded to. A file has room for the longest line,
// and is looked through by whoever reads the log, so there are not too many.
const (
	minLogSize  = 64 << 10
	maxLogFiles = 101
)

func validateLog(s *api.InstanceSpec) error {
	if l := s.Log.Size; l != 0 && l < minLogSize {
		return api.Invalid("spec.log.size", "log size %d is below %d (64 KiB)", l, minLogSize).WithHint("0 is the node's setting")
	}
	if n := s.Log.Files; n < 0 || n > maxLogFiles {
		return api.Invalid("spec.log.files", "%d files of the log are not between 1 and %d", n, maxLogFiles).WithHint("0 is the node's setting")
	}
	return nil
}

func validatePolicy(s *api.InstanceSpec) error {
	r := s.Restart
	switch r.Policy {
	case "", api.RestartNo, api.RestartAlways, api.RestartOnFailure, api.RestartUnlessStopped:
	default:
		return api.Invalid("spec.restart.policy", "unknown restart policy %q", r.Policy).
			WithHint("one of no, always, on-failure, unless-stopped")
	}
	if r.MaxRetries < 0 {
		return api.Invalid("spec.restart.maxRetries", "maxRetries %d is negative", r.MaxRetries)
	}
	if r.MaxRetries > 0 && r.Policy != api.RestartOnFailure {
		return api.Invalid("spec.restart.maxRetries", "maxRetries works with the policy on-failure only")
	}
	if s.AutoRemove && r.Policy != "" && r.Policy != api.RestartNo {
		return api.Invalid("spec.autoRemove", "an instance that is removed when it stops cannot also be restarted").
			WithHint("leave out one of autoRemove (--rm) and restart")
	}
	if s.Health != nil {
		return validateHealth(s.Health)
	}
	return nil
}

func validateHealth(h *api.HealthCheck) error {
	const field = "spec.health.test"
	if len(h.Test) == 0 || !slices.Contains([]string{"NONE", "CMD", "CMD-SHELL"}, h.Test[0]) {
		return api.Invalid(field, "a health check's test begins with NONE, CMD or CMD-SHELL")
	}
	if h.Test[0] != "NONE" && len(h.Test) < 2 || h.Test[0] == "CMD-SHELL" && len(h.Test) > 2 {
		return api.Invalid(field, "%s takes %s", h.Test[0], map[string]string{"CMD": "a command", "CMD-SHELL": "one script"}[h.Test[0]])
	}
	if err := validateStrings(field, h.Test); err != nil {
		return err
	}
	for _, d := range []struct {
		field string
		d     api.Duration
	}{{"interval", h.Interval}, {"timeout", h.Timeout}, {"startPeriod", h.StartPeriod}, {"startInterval", h.StartInterval}} {
		if d.d < 0 || d.d > maxDuration || d.d > 0 && d.d < api.Duration(time.Millisecond) {
			return api.Invalid("spec.health."+d.field, "%s %s is not between 1ms and %s", d.field, d.d, maxDuration)
		}
	}
	if h.Retries < 0 || h.Retries > 1000 {
		return api.Invalid("spec.health.retries", "retries %d is not between 0 and 1000", h.Retries)
	}
	return nil
}
