package control

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestValidateSpec(t *testing.T) {
	long := api.Duration(2 * 365 * 24 * time.Hour)
	for field, change := range map[string]func(*api.InstanceSpec){
		"":                         func(*api.InstanceSpec) {},
		"spec.image":               func(s *api.InstanceSpec) { s.Image = "a b" },
		"spec.command[0]":          func(s *api.InstanceSpec) { s.Command = []string{"a\x00b"} },
		"spec.command":             func(s *api.InstanceSpec) { s.Command = []string{strings.Repeat("x", 2<<20)} },
		"spec.workingDir":          func(s *api.InstanceSpec) { s.WorkingDir = "tmp" },
		"spec.user":                func(s *api.InstanceSpec) { s.User = "a:b:c" },
		"spec.stdinOnce":           func(s *api.InstanceSpec) { s.StdinOnce = true },
		"spec.stopSignal":          func(s *api.InstanceSpec) { s.StopSignal = "SIGNONE" },
		"spec.stopTimeout":         func(s *api.InstanceSpec) { s.StopTimeout = &long },
		"spec.hostname":            func(s *api.InstanceSpec) { s.Hostname = "-x" },
		"spec.dns[0]":              func(s *api.InstanceSpec) { s.DNS = []string{"dns.example"} },
		"spec.extraHosts[0]":       func(s *api.InstanceSpec) { s.ExtraHosts = []string{"db"} },
		"spec.networks[1].network": func(s *api.InstanceSpec) { s.Networks = []api.Attachment{{Network: "a"}, {Network: "host"}} },
		"spec.networks[0].mac":     func(s *api.InstanceSpec) { s.Networks = []api.Attachment{{Network: "a", MAC: "01:00:00:00:00:00"}} },
		"spec.ports[1].hostPort": func(s *api.InstanceSpec) {
			s.Ports = []api.Port{{HostPort: 80, Port: 80}, {HostPort: 80, Port: 81, Protocol: "tcp"}}
		},
		"spec.mounts[0].target":            func(s *api.InstanceSpec) { s.Mounts = []api.Mount{{Type: api.MountTmpfs, Target: "/x/.."}} },
		"spec.mounts[0].source":            func(s *api.InstanceSpec) { s.Mounts = []api.Mount{{Type: api.MountVolume, Source: "/x", Target: "/x"}} },
		"spec.resources.cpus":              func(s *api.InstanceSpec) { s.Resources.CPUs = math.NaN() },
		"spec.resources.cpuSet":            func(s *api.InstanceSpec) { s.Resources.CPUSet = "3-1" },
		"spec.resources.memory":            func(s *api.InstanceSpec) { s.Resources.Memory = math.MaxInt64 },
		"spec.resources.memorySwap":        func(s *api.InstanceSpec) { s.Resources.MemorySwap = 1 << 30 },
		"spec.resources.memoryReservation": func(s *api.InstanceSpec) { s.Resources.Memory, s.Resources.MemoryReservation = 8<<20, 9<<20 },
		"spec.resources.pidsLimit":         func(s *api.InstanceSpec) { s.Resources.PidsLimit = -2 },
		"spec.resources.ulimits[0].soft":   func(s *api.InstanceSpec) { s.Resources.Ulimits = []api.Ulimit{{Name: "nofile", Soft: 2, Hard: 1}} },
		"spec.resources.blockIO.weight":    func(s *api.InstanceSpec) { s.Resources.BlockIO.Weight = 5 },
		"spec.security.seccomp":            func(s *api.InstanceSpec) { s.Security.Seccomp = "{}" },
		"spec.security.devices[0].access":  func(s *api.InstanceSpec) { s.Security.Devices = []api.Device{{Path: "/dev/null", Access: "rx"}} },
		"spec.security.sysctls.net.a": func(s *api.InstanceSpec) {
			s.Security.Sysctls = map[string]string{"net.a": "1"}
			s.Networks = []api.Attachment{{Network: api.NetworkHost}}
		},
		"spec.restart.maxRetries": func(s *api.InstanceSpec) { s.Restart.MaxRetries = 3 },
		"spec.health.test":        func(s *api.InstanceSpec) { s.Health = &api.HealthCheck{Test: []string{"curl"}} },
		"spec.spot.maxPrice":      func(s *api.InstanceSpec) { s.Spot = &api.Spot{MaxPrice: -1} },
		"spec.spot.interruption":  func(s *api.InstanceSpec) { s.Spot = &api.Spot{Interruption: "nap"} },
		"spec.spot.signal":        func(s *api.InstanceSpec) { s.Spot = &api.Spot{Signal: "SIGNONE"} },
		"spec.metadata.mode":      func(s *api.InstanceSpec) { s.Metadata.Mode = "v3" },
		"spec.metadata.hopLimit":  func(s *api.InstanceSpec) { s.Metadata.HopLimit = 65 },
		"spec.userData": func(s *api.InstanceSpec) {
			s.Networks, s.UserData = []api.Attachment{{Network: api.NetworkHost}}, []byte("x")
		},

		"spec.health.retries": func(s *api.InstanceSpec) { s.Health = &api.HealthCheck{Test: []string{"NONE"}, Retries: -1} },
	} {
		s := &api.InstanceSpec{Image: api.HelloImage}
		change(s)
		err := ValidateSpec(s)
		e, ok := errors.AsType[*api.Error](err)
		switch {
		case field == "" && err != nil:
			t.Errorf("a good spec: %v", err)
		case field != "" && (!ok || e.Code != api.CodeInvalid || e.Field != field):
			t.Errorf("%s: %+v", field, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, words := range [][]string{adjectives, nouns} {
		seen := map[string]bool{}
		for _, w := range words {
			if seen[w] || api.ValidateName("", w) != nil {
				t.Errorf("word %q is twice in the list or no name", w)
			}
			seen[w] = true
		}
	}
	if a, b := NewID(), NewID(); a == b || len(a) != 16 || a != strings.ToLower(a) {
		t.Errorf("ids %s, %s", a, b)
	}
}

func FuzzSelector(f *testing.F) {
	f.Add("a=b")
	f.Add("a")
	f.Add("=")
	f.Fuzz(func(t *testing.T, term string) {
		s, err := ParseSelector([]string{term})
		if err != nil {
			return
		}
		k, v, _ := strings.Cut(term, "=")
		if !s.Matches(map[string]string{k: v}) || s.Matches(nil) {
			t.Errorf("%q does not choose what it says", term)
		}
	})
}

func FuzzValidators(f *testing.F) {
	f.Add("0-1,3")
	f.Add("SIGRTMIN+3")
	f.Add("a.b-c")
	f.Fuzz(func(t *testing.T, s string) {
		validCPUSet(s)
		ValidSignal(s)
		if validDomain(s) && strings.ContainsAny(s, " \x00/") {
			t.Errorf("%q passed for a domain", s)
		}
	})
}
