package container

import (
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// FuzzIdentify gives identify an image's files and a user's words: it must
// answer with ids in range or with the user's error.
func FuzzIdentify(f *testing.F) {
	f.Add("ada:video", "video,7", "ada:x:1000:1001:::/h:/bin/sh\n", "video:x:44:ada\n")
	f.Add("-1", "", "root:x:-1:99999999999::/:\n", "::::\n")
	f.Add("", "", "root\n", "")
	f.Fuzz(func(t *testing.T, spec, extra, passwd, group string) {
		var groups []string
		if extra != "" {
			groups = strings.Split(extra, ",")
		}
		id, err := identify(spec, groups, []byte(passwd), []byte(group))
		if err != nil {
			if api.CodeOf(err) != api.CodeInvalid {
				t.Errorf("%v", err)
			}
			return
		}
		for _, n := range append(id.groups, id.uid, id.gid) {
			if n > 1<<31 {
				t.Errorf("id %d", n)
			}
		}
	})
}

func TestParseSignal(t *testing.T) {
	for name, want := range map[string]int{"TERM": 15, "sigkill": 9, "15": 15, "RTMIN+3": 37, "SIGRTMAX-1": 63, "0": 0, "65": 0, "RTMAX+1": 0, "no": 0} {
		n, err := parseSignal(name)
		if n != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
