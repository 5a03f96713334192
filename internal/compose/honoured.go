package compose

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// honoured are the fields that Translate makes something of, with all that lies
// beneath unless deeper fields are listed too. "*" stands for any name or index.
// Whatever is set and not listed is warned of, so a field that a new version of
// the specification brings is, too.
var honoured = fieldSet(`
name
services.*.name services.*.profiles services.*.scale services.*.restart services.*.attach services.*.container_name
services.*.links services.*.image services.*.build services.*.pull_policy
services.*.command services.*.entrypoint services.*.environment services.*.env_file
services.*.user services.*.group_add services.*.working_dir services.*.tty services.*.stdin_open services.*.init
services.*.stop_signal services.*.stop_grace_period services.*.hostname
services.*.labels services.*.label_file services.*.expose services.*.depends_on services.*.read_only services.*.shm_size
services.*.dns services.*.dns_search services.*.dns_opt services.*.logging
services.*.pid services.*.ipc services.*.uts services.*.extra_hosts services.*.network_mode
services.*.networks.*.aliases services.*.networks.*.ipv4_address services.*.networks.*.ipv6_address
services.*.networks.*.mac_address services.*.networks.*.priority services.*.networks.*.use_service_name_alias
services.*.ports.*.target services.*.ports.*.published services.*.ports.*.protocol services.*.ports.*.host_ip
services.*.ports.*.mode services.*.ports.*.name services.*.ports.*.app_protocol
services.*.volumes.*.type services.*.volumes.*.source services.*.volumes.*.target services.*.volumes.*.read_only
services.*.volumes.*.bind.create_host_path services.*.volumes.*.volume.nocopy services.*.volumes.*.tmpfs
services.*.tmpfs services.*.configs.*.source services.*.configs.*.target services.*.secrets.*.source services.*.secrets.*.target
services.*.configs.*.mode services.*.secrets.*.mode
services.*.healthcheck services.*.ulimits services.*.sysctls services.*.cap_add services.*.cap_drop services.*.privileged
services.*.security_opt services.*.devices services.*.userns_mode
services.*.cpus services.*.cpuset services.*.cpu_shares services.*.cpu_quota services.*.cpu_period
services.*.mem_limit services.*.mem_reservation services.*.memswap_limit services.*.pids_limit services.*.oom_score_adj
services.*.blkio_config.weight
services.*.develop.watch.*.path services.*.develop.watch.*.action services.*.develop.watch.*.target
services.*.develop.watch.*.ignore services.*.develop.watch.*.include services.*.develop.watch.*.initial_sync
services.*.deploy.mode services.*.deploy.replicas services.*.deploy.labels services.*.deploy.update_config
services.*.deploy.rollback_config services.*.deploy.placement
services.*.deploy.resources.limits.cpus services.*.deploy.resources.limits.memory services.*.deploy.resources.limits.pids
services.*.deploy.resources.reservations.cpus services.*.deploy.resources.reservations.memory
services.*.deploy.restart_policy.condition services.*.deploy.restart_policy.max_attempts
networks.*.name networks.*.external networks.*.internal networks.*.labels networks.*.driver networks.*.enable_ipv6
networks.*.attachable networks.*.ipam.config.*.subnet networks.*.ipam.config.*.gateway
networks.*.driver_opts.com.docker.network.driver.mtu
volumes.*.name volumes.*.external volumes.*.labels volumes.*.driver
volumes.*.driver_opts.size volumes.*.driver_opts.access services.*.storage_opt.size
configs.*.name configs.*.file configs.*.environment configs.*.content configs.*.labels
secrets.*.name secrets.*.file secrets.*.environment secrets.*.content secrets.*.labels
`)

// fieldSet maps each field to true, and each field above one to false.
func fieldSet(list string) map[string]bool {
	set := map[string]bool{}
	for f := range strings.FieldsSeq(list) {
		set[f] = true
		for i, c := range f {
			if c == '.' && !set[f[:i]] {
				set[f[:i]] = false
			}
		}
	}
	return set
}

// unhonoured names the fields of a project that are set and not honoured.
func unhonoured(p *types.Project) []string {
	var found []string
	walk(reflect.ValueOf(*p), "", "", &found)
	slices.Sort(found)
	return slices.Compact(found)
}

// walk visits what is set beneath v. path is its real name, pattern the same
// with "*" for names and indices.
func walk(v reflect.Value, path, pattern string, found *[]string) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		t := v.Type()
		for i := range t.NumField() {
			key, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			switch {
			case key == "-" || strings.HasPrefix(key, "#"): // x- fields may be ignored
			case key == "" && strings.Contains(options, "inline"):
				if v.Field(i).Kind() == reflect.Struct {
					walk(v.Field(i), path, pattern, found)
				}
			case isSet(v.Field(i)):
				if key == "" {
					key = strings.ToLower(t.Field(i).Name)
				}
				step(v.Field(i), join(path, key), join(pattern, key), found)
			}
		}
	case reflect.Map:
		for _, k := range slices.Sorted(maps.Keys(mapOf(v))) {
			p := join(pattern, "*")
			if _, ok := honoured[join(pattern, k)]; ok {
				p = join(pattern, k)
			}
			step(mapOf(v)[k], join(path, k), p, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			step(v.Index(i), fmt.Sprintf("%s[%d]", path, i), join(pattern, "*"), found)
		}
	default:
		*found = append(*found, path)
	}
}

// step decides about one field: honoured, in part, or not.
func step(v reflect.Value, path, pattern string, found *[]string) {
	whole, known := honoured[pattern]
	switch {
	case whole:
	case known:
		walk(v, path, pattern, found)
	default:
		*found = append(*found, path)
	}
}

// isSet reports whether a field says anything: an empty list, map or struct
// does not.
func isSet(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() > 0
	}
	return !v.IsZero()
}

func mapOf(v reflect.Value) map[string]reflect.Value {
	m := map[string]reflect.Value{}
	for _, k := range v.MapKeys() {
		m[k.String()] = v.MapIndex(k)
	}
	return m
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
