package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// fieldFlags are the flags that fill a field of the API whose name is another
// than theirs. The others are called as the field is: memorySwap is --memory-swap.
var fieldFlags = map[string][]string{
	"address":      {"ip"},
	"address6":     {"ip6"},
	"capAdd":       {"cap-add"},
	"cpuSet":       {"cpuset-cpus"},
	"creditMode":   {"credits"},
	"devices":      {"device"},
	"disk":         {"disk", "storage-opt"},
	"dnsOptions":   {"dns-option"},
	"dnsSearch":    {"dns-search"},
	"egressBps":    {"network-rate"},
	"env":          {"env"},
	"extraHosts":   {"add-host"},
	"groups":       {"group-add"},
	"ingressBps":   {"network-rate"},
	"interval":     {"health-interval"},
	"labels":       {"label"},
	"namespaces":   {"pid", "ipc", "network"},
	"mac":          {"mac-address"},
	"mode":         {"metadata"},
	"networkBps":   {"network-bps"},
	"pricePerHour": {"price"},
	"readBps":      {"device-read-bps"},
	"readOps":      {"device-read-iops"},
	"retries":      {"health-retries"},
	"size":         {"disk", "storage-opt", "size"},
	"startPeriod":  {"health-start-period"},
	"sysctls":      {"sysctl"},
	"timeout":      {"health-timeout"},
	"ulimits":      {"ulimit"},
	"weight":       {"blkio-weight"},
	"workingDir":   {"workdir"},
	"writeBps":     {"device-write-bps"},
	"writeOps":     {"device-write-iops"},
}

// flagOf returns the flag, as it was typed, that an error is about; "" when that
// is not known or the message names a flag already.
func flagOf(cmd *command.Command, e *api.Error) string {
	if cmd == nil || e.Field == "" || strings.Contains(e.Message, "--") {
		return ""
	}
	name := e.Field[strings.LastIndexByte(e.Field, '.')+1:]
	name, _, _ = strings.Cut(name, "[")
	for _, flag := range append(fieldFlags[name], kebab(name)) {
		if cmd.Flags().Changed(flag) && !strings.HasPrefix(e.Message, flag+" ") {
			return "--" + flag
		}
	}
	return ""
}

// kebab writes aName as a-name.
func kebab(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// badValue says of a flag's value what is wrong with it, in place of the words
// of the packages that read it.
func badValue(e *pflag.InvalidValueError) error {
	want := e.Unwrap().Error()
	switch kind := e.GetFlag().Value.Type(); {
	case errors.Is(e, strconv.ErrRange):
		want = "is out of range"
	case kind == "bool":
		want = "want true or false"
	case kind == "duration":
		want = "want a duration, such as 30s or 1h30m"
	case strings.HasPrefix(kind, "int"):
		want = "want a whole number"
	case strings.HasPrefix(kind, "uint"):
		want = "want a whole number that is not negative"
	}
	return fmt.Errorf("--%s %q: %s", e.GetFlag().Name, e.GetValue(), want)
}
