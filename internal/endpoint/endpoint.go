package endpoint

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/virga-cloud/virga/api"
)

// Flags are those that every command has.
type Flags struct {
	Socket    string
	Host      string
	TokenFile string
	CAFile    string
	Project   string
}

// Names are the flags' names, all of which take a value.
var Names = []string{"socket", "host", "token-file", "ca-file", "project"}

// Register adds the flags to f.
func (e *Flags) Register(f *pflag.FlagSet) {
	f.StringVar(&e.Socket, "socket", "", "daemon's `socket` (default $VIRGA_SOCKET, else "+api.DefaultSocket+")")
	f.StringVar(&e.Host, "host", "", "`URL` of a daemon on another machine, https://HOST:PORT (default $VIRGA_HOST)")
	f.StringVar(&e.TokenFile, "token-file", "", "`file` with the token for it (default $VIRGA_TOKEN_FILE, or the token itself in $VIRGA_TOKEN)")
	f.StringVar(&e.CAFile, "ca-file", "", "`file` with the certificate to trust it by (default $VIRGA_CA_FILE, else the system's)")
	f.StringVar(&e.Project, "project", "", "`project` to work in (default $VIRGA_PROJECT, else default)")
}

// Endpoint is a daemon, and how it lets one in.
type Endpoint struct {
	Socket  string // path, when the daemon is on this machine
	Address string // HOST:PORT, when it is on another one
	CAFile  string // certificates to trust it by; "" is the system's
	Token   api.Secret
	Project string
}

// Resolve reads what is not given by flags from the environment.
func (e *Flags) Resolve(env func(string) string) (Endpoint, error) {
	if e.Socket != "" && e.Host != "" {
		return Endpoint{}, api.Invalid("host", "--socket and --host name two daemons").WithHint("give one of them")
	}
	out := Endpoint{Project: first(e.Project, env("VIRGA_PROJECT"))}
	host := e.Host
	if e.Socket == "" && host == "" {
		host = env("VIRGA_HOST")
	}
	if host == "" || strings.HasPrefix(host, "unix://") {
		out.Socket = strings.TrimPrefix(first(host, e.Socket, env("VIRGA_SOCKET"), api.DefaultSocket), "unix://")
		return out, nil
	}
	var err error
	if out.Address, err = address(host); err != nil {
		return Endpoint{}, err
	}
	out.CAFile = first(e.CAFile, env("VIRGA_CA_FILE"))
	out.Token, err = e.token(env)
	return out, err
}

// address is the HOST:PORT of a URL.
func address(host string) (string, error) {
	u, err := url.Parse(host)
	if err != nil || u.Scheme == "" || u.Hostname() == "" {
		return "", api.Invalid("host", "host %q: want https://HOST:PORT", host)
	}
	if u.Scheme != "https" {
		return "", api.Invalid("host", "host %q: the API is not served over %s", host, u.Scheme).
			WithHint("use https://%s, and start the daemon with --listen", u.Host)
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", api.Invalid("host", "host %q: want https://HOST:PORT and nothing else", host)
	}
	return net.JoinHostPort(u.Hostname(), first(u.Port(), "443")), nil
}

// token is the secret of the file that is named, or of the environment.
func (e *Flags) token(env func(string) string) (api.Secret, error) {
	path := e.TokenFile
	if path == "" && env("VIRGA_TOKEN") != "" {
		return checkToken("VIRGA_TOKEN", env("VIRGA_TOKEN"))
	}
	if path = first(path, env("VIRGA_TOKEN_FILE")); path == "" {
		return "", api.Errorf(api.CodeForbidden, "no token for the daemon on another machine").
			WithHint("make one there with `virga token create NAME --file F`, and name it with --token-file or VIRGA_TOKEN_FILE")
	}
	b, err := readPrivate(path)
	if err != nil {
		return "", err
	}
	return checkToken(path, string(b))
}

// maxToken bounds what is read of a token's file.
const maxToken = 4 << 10

// readPrivate reads a file that nobody but its owner may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, api.Invalid("token-file", "there is no file %s", path)
	}
	if err != nil {
		return nil, api.Invalid("token-file", "%v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, api.Errorf(api.CodeForbidden, "token file %s: others than its owner may use it (mode %04o)", path, info.Mode().Perm()).
			InField("token-file").WithHint("chmod 600 %s", path)
	}
	return io.ReadAll(io.LimitReader(f, maxToken))
}

// checkToken refuses what could not be sent in a header.
func checkToken(from, token string) (api.Secret, error) {
	token = strings.TrimSpace(token)
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", api.Invalid("token-file", "%s does not hold a token", from)
	}
	return api.Secret(token), nil
}

// Client makes a client of the daemon; dial opens the connections to one on
// another machine.
func (e Endpoint) Client(dial func(context.Context, Endpoint) (net.Conn, error)) *api.Client {
	c := api.Dial(e.Socket)
	if e.Address != "" {
		c = api.NewClient(func(ctx context.Context) (net.Conn, error) { return dial(ctx, e) })
	}
	c.Project, c.Token = e.Project, e.Token
	return c
}

// first returns the first string that is not empty.
func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
