package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/virga-cloud/virga/api"
)

func TestParsePorts(t *testing.T) {
	for in, want := range map[string][]api.Port{
		"80":                    {{Port: 80, Protocol: "tcp"}},
		"8080:80":               {{HostPort: 8080, Port: 80, Protocol: "tcp"}},
		"5353:53/udp":           {{HostPort: 5353, Port: 53, Protocol: "udp"}},
		"127.0.0.1:8080:80":     {{HostIP: "127.0.0.1", HostPort: 8080, Port: 80, Protocol: "tcp"}},
		"127.0.0.1::80":         {{HostIP: "127.0.0.1", Port: 80, Protocol: "tcp"}},
		"[::1]:8080:80":         {{HostIP: "::1", HostPort: 8080, Port: 80, Protocol: "tcp"}},
		"8000-8001:80-81/tcp":   {{HostPort: 8000, Port: 80, Protocol: "tcp"}, {HostPort: 8001, Port: 81, Protocol: "tcp"}},
		"":                      nil,
		"0":                     nil,
		"65536":                 nil,
		"80/sctp":               nil,
		"8000-8002:80-81":       nil,
		"81-80":                 nil,
		"nowhere:80:80":         nil,
		"[::1:80":               nil,
		"1:2:3:4":               nil,
		"-1:80":                 nil,
		"8080:":                 nil,
		"999.999.999.999:80:80": nil,
	} {
		got, err := parsePorts(in)
		if (err != nil) != (want == nil) {
			t.Errorf("parsePorts(%q) error %v", in, err)
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("parsePorts(%q):\n%s", in, d)
		}
	}
}

func TestParseVolume(t *testing.T) {
	for in, want := range map[string]api.Mount{
		"/data":            {Type: api.MountVolume, Target: "/data"},
		"data:/data":       {Type: api.MountVolume, Source: "data", Target: "/data"},
		"/srv:/data:ro":    {Type: api.MountBind, Source: "/srv", Target: "/data", ReadOnly: true, Create: true},
		"./a/../b:/data/":  {Type: api.MountBind, Source: "/here/b", Target: "/data", Create: true},
		".:/data":          {Type: api.MountBind, Source: "/here", Target: "/data", Create: true},
		"v:/d:nocopy,ro":   {Type: api.MountVolume, Source: "v", Target: "/d", ReadOnly: true, NoCopy: true},
		"v:/d:rw,z":        {Type: api.MountVolume, Source: "v", Target: "/d"},
		"":                 {},
		"data":             {},
		"data:relative":    {},
		"data:/":           {},
		":/data":           {},
		"a:/b:ro:x":        {},
		"a:/b:fast":        {},
		"/srv:/data/../..": {},
	} {
		got, err := parseVolume(in, "/here")
		if (err != nil) != (want == api.Mount{}) || got != want {
			t.Errorf("parseVolume(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
}

func TestParseMount(t *testing.T) {
	for in, want := range map[string]api.Mount{
		"type=bind,source=/srv,target=/data,readonly": {Type: api.MountBind, Source: "/srv", Target: "/data", ReadOnly: true},
		"type=bind,src=x,dst=/data,ro=false":          {Type: api.MountBind, Source: "/here/x", Target: "/data"},
		"source=data,destination=/data,volume-nocopy": {Type: api.MountVolume, Source: "data", Target: "/data", NoCopy: true},
		"type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700": {
			Type: api.MountTmpfs, Target: "/t", Size: 1 << 20, Mode: 0o700},
		"type=npipe,target=/x":                            {},
		"type=bind,target=/x":                             {},
		"type=tmpfs,source=x,target=/x":                   {},
		"type=volume,target=x":                            {},
		"target=/x,colour=red":                            {},
		"type=tmpfs,target=/x,tmpfs-size=red":             {},
		"type=tmpfs,target=/x,tmpfs-mode=9":               {},
		"type=bind,src=/a,dst=/b,bind-propagation=rslave": {},
		"src=a,dst=/b,volume-driver=nfs":                  {},
		"src=a,dst=/b,volume-opt=type=nfs":                {},
		"target=/x,ro=maybe":                              {},
	} {
		got, err := parseMount(in, "/here")
		if (err != nil) != (want == api.Mount{}) || err == nil && got != want {
			t.Errorf("parseMount(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]api.Mount{
		"/t":                       {Type: api.MountTmpfs, Target: "/t"},
		"/t:size=64m,mode=1777,ro": {Type: api.MountTmpfs, Target: "/t", Size: 64 << 20, Mode: 0o1777, ReadOnly: true},
		"t":                        {},
		"/t:size=":                 {},
		"/t:uid=1000,gid=50,exec":  {Type: api.MountTmpfs, Target: "/t", UID: 1000, GID: 50, Exec: true},
		"/t:exec,noexec,nosuid":    {Type: api.MountTmpfs, Target: "/t"},
		"/t:uid=root":              {},
		"/t:suid":                  {},
		"/t:swift":                 {},
	} {
		got, err := parseTmpfs(in)
		if (err != nil) != (want == api.Mount{}) || err == nil && got != want {
			t.Errorf("parseTmpfs(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
}

func TestParseLimits(t *testing.T) {
	for in, want := range map[string]api.Ulimit{
		"nofile=1024":      {Name: "nofile", Soft: 1024, Hard: 1024},
		"nofile=1024:4096": {Name: "nofile", Soft: 1024, Hard: 4096},
		"core=unlimited":   {Name: "core", Soft: -1, Hard: -1},
		"core=0:-1":        {Name: "core", Soft: 0, Hard: -1},
		"nofile=2:1":       {}, "nofile=-1:1": {}, "nofile": {}, "=1": {}, "nofile=x": {},
	} {
		got, err := parseUlimit(in)
		if (err != nil) != (want == api.Ulimit{}) || got != want {
			t.Errorf("parseUlimit(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]api.RestartPolicy{
		"no": {Policy: "no"}, "always": {Policy: "always"}, "unless-stopped": {Policy: "unless-stopped"},
		"on-failure": {Policy: "on-failure"}, "on-failure:5": {Policy: "on-failure", MaxRetries: 5},
		"never": {}, "always:5": {}, "on-failure:-1": {}, "on-failure:x": {},
	} {
		got, err := parseRestart(in)
		if (err != nil) != (want == api.RestartPolicy{}) || got != want {
			t.Errorf("parseRestart(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]api.Device{
		"/dev/fuse":            {Path: "/dev/fuse"},
		"/dev/fuse:rw":         {Path: "/dev/fuse", Access: "rw"},
		"/dev/a:/dev/b":        {Path: "/dev/a", Target: "/dev/b"},
		"/dev/a:/dev/b:r":      {Path: "/dev/a", Target: "/dev/b", Access: "r"},
		"fuse":                 {},
		"/dev/a:/dev/b:x":      {},
		"/dev/a:b":             {},
		"/dev/a:/dev/b:r:more": {},
	} {
		got, err := parseDevice(in)
		if (err != nil) != (want == api.Device{}) || got != want {
			t.Errorf("parseDevice(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	for in, want := range map[string]api.Attachment{
		"bridge": {Network: "default"}, "host": {Network: "host"}, "none": {Network: "none"}, "lan": {Network: "lan"},
		"name=lan,ip=10.0.0.5,alias=a,alias=b": {Network: "lan", Address: "10.0.0.5", Aliases: []string{"a", "b"}},
		"ip=10.0.0.5":                          {}, "name=lan,ip=::1": {}, "name=lan,speed=9": {},
	} {
		got, err := parseNetwork(in)
		if err == nil && cmp.Diff(want, got) != "" || (err != nil) != (want.Network == "") {
			t.Errorf("parseNetwork(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"db:10.0.0.5": "db:10.0.0.5", "db=10.0.0.5": "db:10.0.0.5", "six:[::1]": "six:::1", "six:::1": "six:::1",
		"me:host-gateway": "me:host-gateway", "db": "", ":1.2.3.4": "", "db:nowhere": "",
	} {
		if got, err := parseHost(in); got != want || (err != nil) != (want == "") {
			t.Errorf("parseHost(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestParseSecurity(t *testing.T) {
	read := func(string) (string, error) { return "{}", nil }
	for in, want := range map[string]api.Security{
		"seccomp=unconfined":       {Seccomp: "unconfined"},
		"seccomp:unconfined":       {Seccomp: "unconfined"},
		"seccomp=p.json":           {Seccomp: "{}"},
		"no-new-privileges":        {},
		"no-new-privileges:false":  {NewPrivileges: true},
		"systempaths=unconfined":   {SystemPathsOpen: true},
		"apparmor=docker-default":  {},
		"label=disable":            {},
		"no-new-privileges=rather": {Seccomp: "error"},
		"magic=on":                 {Seccomp: "error"},
	} {
		var got api.Security
		warning, err := parseSecurity(&got, in, read)
		if want.Seccomp == "error" {
			if err == nil {
				t.Errorf("parseSecurity(%q) was taken", in)
			}
			continue
		}
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("parseSecurity(%q) = %+v, %v", in, got, err)
		}
		if ignored := in[0] == 'a' || in[0] == 'l'; ignored != (warning != "") {
			t.Errorf("parseSecurity(%q) warns %q", in, warning)
		}
	}
}

func TestDetacher(t *testing.T) {
	for _, c := range []struct {
		keys, in, out string
		detached      bool
	}{
		{"ctrl-p,ctrl-q", "ab\x10\x11cd", "ab", true},
		{"ctrl-p,ctrl-q", "a\x10b", "a\x10b", false},
		{"ctrl-p,ctrl-q", "\x10\x10\x11", "\x10", true},
		{"a,a,b", "aaab", "a", true},
		{"a,b,a,c", "ababac", "ab", true},
		{"ctrl-]", "x\x1dy", "x", true},
		{"", "\x10\x11", "\x10\x11", false},
	} {
		keys, err := parseDetachKeys(c.keys)
		if err != nil {
			t.Fatal(err)
		}
		// The same input whole and byte by byte.
		for _, step := range []int{len(c.in), 1} {
			d := detacher{keys: keys}
			var out []byte
			var detached bool
			for i := 0; i < len(c.in) && !detached; i += step {
				var o []byte
				o, detached = d.pass([]byte(c.in[i : i+step]))
				out = append(out, o...)
			}
			if string(out) != c.out || detached != c.detached {
				t.Errorf("keys %s, input %q by %d: %q, %t; want %q, %t", c.keys, c.in, step, out, detached, c.out, c.detached)
			}
		}
	}
	for _, bad := range []string{"ctrl-", "ctrl-1", "xy", "ctrl-p,,ctrl-q"} {
		if _, err := parseDetachKeys(bad); err == nil {
			t.Errorf("detach keys %q were taken", bad)
		}
	}
}

func TestParseNetworkRate(t *testing.T) {
	tests := []struct {
		text string
		want api.NetworkRate
		ok   bool
	}{
		{"", api.NetworkRate{}, true},
		{"0", api.NetworkRate{}, true},
		{"10m", api.NetworkRate{IngressBPS: 10e6, EgressBPS: 10e6}, true},
		{"1.5Gbit", api.NetworkRate{IngressBPS: 15e8, EgressBPS: 15e8}, true},
		{"in=20m,out=800k", api.NetworkRate{IngressBPS: 20e6, EgressBPS: 8e5}, true},
		{"out=64000", api.NetworkRate{EgressBPS: 64000}, true},
		{"fast", api.NetworkRate{}, false},
		{"-1", api.NetworkRate{}, false},
		{"nan", api.NetworkRate{}, false},
		{"1e300", api.NetworkRate{}, false},
		{"up=1m", api.NetworkRate{}, false},
		{"in=", api.NetworkRate{}, false},
	}
	for _, tt := range tests {
		got, err := parseNetworkRate(tt.text)
		if (err == nil) != tt.ok || tt.ok && got != tt.want {
			t.Errorf("%q: %+v, %v", tt.text, got, err)
		}
	}
}
