package test

import (
	"encoding/json"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// imdsImage makes an image of nothing but the program test/imds, which has the
// AWS SDK's client in it.
func (d *Daemon) imdsImage(t *testing.T) string {
	t.Helper()
	return d.programImage(t, "imds")
}

// imdsReport is what the program prints.
type imdsReport struct {
	Document struct {
		InstanceID, InstanceType, PrivateIP, Region, AccountID string
	}
	Region, UserData       string
	Metadata               map[string]string
	Plain, Forwarded, Hops int
}

// askIMDS runs the program in a new instance and returns what it was told.
func (d *Daemon) askIMDS(t *testing.T, flags []string, paths ...string) imdsReport {
	t.Helper()
	args := append(append([]string{"run", "--rm"}, flags...), d.imdsImage(t), "/imds")
	out := d.Must(t, append(args, paths...)...)
	var r imdsReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

// The AWS SDK's client, unmodified, in an instance on every kind of network.
func TestMetadataForTheSDK(t *testing.T) {
	d := Start(t)
	data := filepath.Join(t.TempDir(), "data")
	write(t, data, "#cloud-config\n")
	d.Must(t, "network", "create", "inner", "--internal")
	d.Must(t, "network", "create", "lone", "--isolated")
	for _, network := range []string{"default", "inner", "lone"} {
		t.Run(network, func(t *testing.T) {
			r := d.askIMDS(t, []string{"--name", "asker", "--network", network, "--user-data", data, "--type", "burst.nano", "-l", "env=test"},
				"instance-id", "local-ipv4", "mac", "network/interfaces/macs/", "placement/availability-zone", "instance-life-cycle",
				"tags/instance/env", "spot/instance-action", "autoscaling/target-lifecycle-state", "hostname")
			if !strings.HasPrefix(r.Document.InstanceID, "i-") || r.Document.InstanceType != "burst.nano" || r.Region != "local" {
				t.Errorf("document %+v, region %q", r.Document, r.Region)
			}
			if r.UserData != "#cloud-config\n" {
				t.Errorf("user data %q", r.UserData)
			}
			if r.Metadata["instance-id"] != r.Document.InstanceID || r.Metadata["local-ipv4"] != r.Document.PrivateIP {
				t.Errorf("metadata %v, document %+v", r.Metadata, r.Document)
			}
			if _, err := netip.ParseAddr(r.Document.PrivateIP); err != nil {
				t.Errorf("address %q", r.Document.PrivateIP)
			}
			equal(t, "macs", r.Metadata["network/interfaces/macs/"], r.Metadata["mac"]+"/")
			equal(t, "tag", r.Metadata["tags/instance/env"], "test")
			equal(t, "hostname", r.Metadata["hostname"], "asker")
			equal(t, "life cycle", r.Metadata["instance-life-cycle"], "on-demand")
			if action, ok := r.Metadata["spot/instance-action"]; ok {
				t.Errorf("an on-demand instance must leave: %s", action)
			}
			if r.Plain != 401 || r.Forwarded != 403 || r.Hops != 1 {
				t.Errorf("without a token %d, forwarded %d, token's hops %d", r.Plain, r.Forwarded, r.Hops)
			}
		})
	}
}

func TestMetadataModes(t *testing.T) {
	d := Start(t)
	r := d.askIMDS(t, []string{"--metadata", "v1", "--metadata-hop-limit", "3", "--metadata-tags=false", "-l", "env=test"}, "tags/instance/env", "instance-id")
	if r.Plain != 200 || r.Hops != 3 {
		t.Errorf("v1 without a token %d, hops %d", r.Plain, r.Hops)
	}
	if _, shown := r.Metadata["tags/instance/env"]; shown {
		t.Error("hidden tags are shown")
	}
	off := d.CLI("run", "--rm", "--metadata", "off", d.imdsImage(t), "/imds")
	if off.Code != 1 || !strings.Contains(off.Stderr, "403") {
		t.Errorf("switched off: %v", off)
	}
	contains(t, d.Refused(t, "run", "--rm", "--network", "none", "--metadata", "v2", "imds", "/imds"), "cannot reach the metadata service")
	contains(t, d.Refused(t, "run", "--rm", "--metadata", "v3", "imds", "/imds"), "v3")
}

// Two instances ask at the same address and each sees itself; curl of a Debian
// root reads it as on EC2, and the daemon may be killed meanwhile.
func TestMetadataByCurl(t *testing.T) {
	d := Start(t)
	image := d.Debian(t)
	const get = `t=$(curl -sS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token) &&
		curl -sS -f -m 5 -H "X-aws-ec2-metadata-token: $t" http://169.254.169.254/latest/`
	for _, name := range []string{"one", "two"} {
		d.Must(t, "run", "-d", "--name", name, image, "sleep", "1000")
	}
	ids := map[string]string{}
	for _, name := range []string{"one", "two"} {
		in := d.WaitPhase(t, name, api.PhaseRunning)
		ids[name] = "i-" + in.ID
		equal(t, "id of "+name, d.Must(t, "exec", name, "sh", "-c", get+"meta-data/instance-id"), ids[name])
		equal(t, "address of "+name, d.Must(t, "exec", name, "sh", "-c", get+"meta-data/local-ipv4"), in.Status.Addresses[0].Address.String())
	}
	doc := d.Must(t, "exec", "one", "sh", "-c", get+"dynamic/instance-identity/document")
	contains(t, doc, ids["one"])
	verifyPKCS7(t, d, d.Must(t, "exec", "one", "sh", "-c", get+"dynamic/instance-identity/pkcs7"), doc)

	d.Kill9(t)
	d.Restart(t)
	began := time.Now()
	eventually(t, "the metadata service is back", func() (bool, string) {
		r := d.CLI("exec", "two", "sh", "-c", get+"meta-data/instance-id")
		return r.Code == 0 && strings.TrimSpace(r.Stdout) == ids["two"], r.String()
	})
	t.Logf("the metadata service answered %v after the daemon", time.Since(began))
}

// verifyPKCS7 checks the signed identity as EC2's users do.
func verifyPKCS7(t *testing.T, d *Daemon, body, doc string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("no openssl: the PKCS #7 form is checked by the unit tests only")
		return
	}
	dir := t.TempDir()
	signed, ca := filepath.Join(dir, "signed"), filepath.Join(dir, "ca.pem")
	write(t, signed, "-----BEGIN PKCS7-----\n"+body+"\n-----END PKCS7-----\n")
	write(t, ca, d.Must(t, "service", "ca")+"\n")
	out, err := exec.Command("openssl", "smime", "-verify", "-in", signed, "-inform", "PEM", "-certfile", ca, "-noverify").CombinedOutput()
	if err != nil || !strings.Contains(string(out), strings.TrimSpace(doc)) {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}

func TestMetadataIsQuick(t *testing.T) {
	d := Start(t)
	out := d.Must(t, "run", "--rm", d.imdsImage(t), "/imds", "latency", "300")
	us, err := strconv.Atoi(out)
	if err != nil || us <= 0 {
		t.Fatalf("latency %q", out)
	}
	t.Logf("p99 of the SDK's reads: %d µs", us)
}
