package metadata

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/smallstep/pkcs7"
)

func example() View {
	return View{
		ID: "abc123", Name: "web", Project: "default", Hostname: "web", Image: "sha256:0123456789abcdef0123",
		Type: "burst.small", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Node: "n1", Region: "local", Arch: "x86_64",
		Tags: map[string]string{"env": "test", "a/b": "hidden"}, UserData: []byte("#cloud-config\n"),
		PublicKeys: []Key{{"me", "ssh-ed25519 AAAA me"}},
		Interfaces: []Interface{{MAC: "02:00:00:00:00:01", Address: netip.MustParseAddr("10.90.0.5"),
			Subnet: netip.MustParsePrefix("10.90.0.1/16"), Network: "default"}},
	}
}

type fixture struct {
	http.Handler
	root *x509.Certificate
	view View
	now  time.Time
	key  *ecdsa.PrivateKey
}

func newFixture(t *testing.T) *fixture {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{root: root, view: example(), now: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), key: key}
	s := New(Config{
		View: func(instance string) (View, bool) {
			v := f.view
			v.ID = instance
			return v, true
		},
		Key: key, Certificate: root, Now: func() time.Time { return f.now }, Log: slog.New(slog.DiscardHandler),
	})
	f.Handler = s.Handler(func(a netip.Addr) (string, bool) {
		if a == netip.MustParseAddr("10.90.0.6") {
			return "other", true
		}
		return "abc123", a == netip.MustParseAddr("10.90.0.5") || a.IsLoopback()
	})
	return f
}

func (f *fixture) do(from, method, path string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = from + ":1234"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (f *fixture) get(path string) (int, string) { return f.do("10.90.0.5", "GET", path) }

func TestTree(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct {
		path string
		code int
		want string
	}{
		{"/latest", 200, "dynamic\nmeta-data\nuser-data"},
		{"/latest/", 200, "dynamic\nmeta-data\nuser-data"},
		{"/latest/meta-data/instance-id", 200, "i-abc123"},
		{"/2009-04-04/meta-data/instance-id", 200, "i-abc123"},
		{"/latest/meta-data/placement", 200, "availability-zone\navailability-zone-id\nhost-id\nregion"},
		{"/latest/meta-data/placement/", 200, "availability-zone\navailability-zone-id\nhost-id\nregion"},
		{"/latest/meta-data/local-ipv4", 200, "10.90.0.5"},
		{"/latest/meta-data/network/interfaces/macs/", 200, "02:00:00:00:00:01/"},
		{"/latest/meta-data/network/interfaces/macs/02:00:00:00:00:01/subnet-ipv4-cidr-block", 200, "10.90.0.0/16"},
		{"/latest/meta-data/public-keys/", 200, "0=me\n"},
		{"/latest/meta-data/public-keys/0/openssh-key", 200, "ssh-ed25519 AAAA me"},
		{"/latest/meta-data/tags/instance/", 200, "env"},
		{"/latest/user-data", 200, "#cloud-config\n"},
		{"/latest/meta-data/spot/instance-action", 404, ""},
		{"/latest/meta-data/events/recommendations/rebalance", 404, ""},
		{"/latest/meta-data/autoscaling/target-lifecycle-state", 404, ""},
		{"/latest/meta-data/nothing", 404, ""},
		{"/1999-01-01/meta-data/", 404, ""},
		{"/latest/../../etc/passwd", 404, ""},
	} {
		code, body := f.get(tt.path)
		if code != tt.code || tt.code == 200 && body != tt.want {
			t.Errorf("%s: %d %q, want %d %q", tt.path, code, body, tt.code, tt.want)
		}
	}
	if _, body := f.get("/"); !strings.HasSuffix(body, "\nlatest") {
		t.Errorf("versions: %q", body)
	}
	if _, body := f.get("/latest/meta-data/"); !strings.Contains(body, "placement/\n") || !strings.Contains(body, "instance-id\n") {
		t.Errorf("listing: %q", body)
	}
}

func TestNotices(t *testing.T) {
	f := newFixture(t)
	f.view.Action = &Action{"terminate", time.Date(2017, 9, 18, 8, 22, 0, 0, time.UTC)}
	f.view.Rebalance = time.Date(2020, 10, 27, 8, 22, 0, 0, time.UTC)
	for path, want := range map[string]string{
		"/latest/meta-data/spot/instance-action":             `{"action":"terminate","time":"2017-09-18T08:22:00Z"}`,
		"/latest/meta-data/spot/termination-time":            "2017-09-18T08:22:00Z",
		"/latest/meta-data/events/recommendations/rebalance": `{"noticeTime":"2020-10-27T08:22:00Z"}`,
	} {
		if _, body := f.get(path); body != want {
			t.Errorf("%s: %q, want %q", path, body, want)
		}
	}
	f.view.Action.Action = "hibernate"
	if code, _ := f.get("/latest/meta-data/spot/termination-time"); code != 404 {
		t.Errorf("a hibernation has a termination time: %d", code)
	}
}

func TestSessions(t *testing.T) {
	f := newFixture(t)
	put := func(from string, headers ...string) (int, string) {
		return f.do(from, "PUT", "/latest/api/token", headers...)
	}
	if code, _ := put("10.90.0.5"); code != 400 {
		t.Errorf("PUT without a TTL: %d", code)
	}
	for _, ttl := range []string{"0", "21601", "-1", "x", ""} {
		if code, _ := put("10.90.0.5", headerTTL, ttl); code != 400 {
			t.Errorf("PUT with TTL %q: %d", ttl, code)
		}
	}
	if code, _ := f.do("10.90.0.5", "PUT", "/2021-03-23/api/token", headerTTL, "60"); code != 403 {
		t.Errorf("PUT on a version: %d", code)
	}
	code, token := put("10.90.0.5", headerTTL, "60")
	if code != 200 || token == "" {
		t.Fatalf("PUT: %d %q", code, token)
	}
	f.view.Options.TokenRequired = true
	const path = "/latest/meta-data/instance-id"
	for name, tt := range map[string]struct {
		from  string
		token string
		want  int
	}{
		"with the token":      {"10.90.0.5", token, 200},
		"without":             {"10.90.0.5", "", 401},
		"garbage":             {"10.90.0.5", "x" + token, 401},
		"of another instance": {"10.90.0.6", token, 401},
	} {
		var h []string
		if tt.token != "" {
			h = []string{headerToken, tt.token}
		}
		if code, _ := f.do(tt.from, "GET", path, h...); code != tt.want {
			t.Errorf("%s: %d, want %d", name, code, tt.want)
		}
	}
	f.now = f.now.Add(time.Minute)
	if code, _ := f.do("10.90.0.5", "GET", path, headerToken, token); code != 401 {
		t.Errorf("expired token: %d", code)
	}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	if code, _ := f.do("10.90.0.99", "GET", "/latest/"); code != 403 {
		t.Errorf("stranger: %d", code)
	}
	if code, _ := f.do("10.90.0.5", "GET", "/latest/", "X-Forwarded-For", "1.2.3.4"); code != 403 {
		t.Errorf("forwarded: %d", code)
	}
	if code, _ := f.do("10.90.0.5", "POST", "/latest/"); code != 405 {
		t.Errorf("POST: %d", code)
	}
	limited := false
	for range 2 * atOnce {
		code, _ := f.do("10.90.0.5", "GET", "/latest/")
		limited = limited || code == 429
	}
	if !limited {
		t.Error("no rate limit")
	}
	if code, _ := f.do("10.90.0.6", "GET", "/latest/"); code != 200 {
		t.Errorf("another instance pays for its neighbour's requests: %d", code)
	}
	f.view.Options.Off = true
	if code, _ := f.do("10.90.0.6", "GET", "/latest/"); code != 403 {
		t.Errorf("switched off: %d", code)
	}
}

// The AWS SDK's own client works unmodified.
func TestAWSClient(t *testing.T) {
	f := newFixture(t)
	f.view.Options.TokenRequired = true
	server := httptest.NewServer(f)
	defer server.Close()
	client := imds.New(imds.Options{Endpoint: server.URL, ClientEnableState: imds.ClientEnabled, HTTPClient: http.DefaultClient})
	ctx := t.Context()
	doc, err := client.GetInstanceIdentityDocument(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if doc.InstanceID != "i-abc123" || doc.PrivateIP != "10.90.0.5" || doc.InstanceType != "burst.small" {
		t.Errorf("document %+v", doc)
	}
	if r, err := client.GetRegion(ctx, nil); err != nil || r.Region != "local" {
		t.Errorf("region %+v %v", r, err)
	}
	out, err := client.GetUserData(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(out.Content); err != nil || string(b) != "#cloud-config\n" {
		t.Errorf("user data %q %v", b, err)
	}
	meta, err := client.GetMetadata(ctx, &imds.GetMetadataInput{Path: "instance-id"})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(meta.Content); string(b) != "i-abc123" {
		t.Errorf("instance-id %q", b)
	}
}

func TestIdentityIsSigned(t *testing.T) {
	f := newFixture(t)
	_, doc := f.get("/latest/dynamic/instance-identity/document")
	_, sig := f.get("/latest/dynamic/instance-identity/signature")
	raw, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(doc))
	if !ecdsa.VerifyASN1(&f.key.PublicKey, sum[:], raw) {
		t.Error("the signature does not fit the document")
	}
	_, text := f.get("/latest/dynamic/instance-identity/pkcs7")
	block, _ := pem.Decode([]byte("-----BEGIN PKCS7-----\n" + text + "\n-----END PKCS7-----\n"))
	if block == nil {
		t.Fatalf("pkcs7 %q", text)
	}
	data, err := pkcs7.Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(f.root)
	if err := data.VerifyWithChain(pool); err != nil || string(data.Content) != doc {
		t.Errorf("pkcs7: %v, content %q", err, data.Content)
	}
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{"/", "/latest", "//latest//meta-data", "/latest/meta-data/network/interfaces/macs/", "/latest/dynamic/x"} {
		f.Add(p, "token")
	}
	f.Fuzz(func(t *testing.T, path, token string) {
		fx := newFixture(t)
		r := &http.Request{Method: "GET", URL: httptest.NewRequest("GET", "/", nil).URL, Header: http.Header{headerToken: {token}}, RemoteAddr: "10.90.0.5:1"}
		r.URL.Path = path
		w := httptest.NewRecorder()
		fx.ServeHTTP(w, r)
		if w.Code == 500 {
			t.Fatalf("%q: %s", path, w.Body)
		}
	})
}
