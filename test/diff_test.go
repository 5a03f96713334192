package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestDiffListsWhatChanged(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "writer", "-v", "kept:/kept", image, "sh", "-c",
		"echo new >/var/www/new; echo other >/var/www/index.html; rm -r /home; mkdir /opt2; echo x >/opt2/x; echo x >/kept/x; touch /ready; sleep 1000")
	eventually(t, "it has written", func() (bool, string) {
		r := d.CLI("exec", "writer", "ls", "/ready")
		return r.Code == 0, r.String()
	})
	check := func(when string) {
		t.Helper()
		got := strings.Split(d.Must(t, "diff", "writer"), "\n")
		for _, want := range []string{"A /var/www/new", "C /var/www/index.html", "C /var/www", "A /opt2", "A /opt2/x", "A /ready"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %q is missing in %q", when, want, got)
			}
		}
		if slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "/kept/") || strings.Contains(s, "/proc") }) {
			t.Errorf("%s: it lists what is not the image's: %q", when, got)
		}
	}
	check("running")
	d.Must(t, "stop", "-t", "0", "writer")
	check("stopped")
	equal(t, "of one that never ran", d.Must(t, "diff", d.Must(t, "create", image, "true")), "")
	contains(t, d.Refused(t, "diff", "nobody"), "nobody")
}

func TestPublishAllPorts(t *testing.T) {
	d := Start(t)
	d.Must(t, "run", "-d", "--name", "web", "-P", "--expose", "9090/udp", "virga/hello", "serve")
	var list []api.Instance
	must(t, json.Unmarshal([]byte(d.Must(t, "inspect", "web")), &list))
	ports := list[0].Status.Ports
	if len(ports) != 2 || ports[0].Port != 8080 || ports[0].HostPort == 0 || ports[1].Port != 9090 || ports[1].Protocol != "udp" {
		t.Fatalf("ports: %+v", ports)
	}
	eventually(t, "the published port answers", func() (bool, string) {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].HostPort))
		if err != nil {
			return false, err.Error()
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		return err == nil && r.StatusCode == 200, string(b)
	})
	contains(t, d.Refused(t, "run", "--rm", "-P", "--expose", "1:2", "virga/hello"), "--expose")
}
