package daemon

import (
	"bytes"
	"net/http"
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/event"
)

// newWebhook makes what sends events to the operator's address, or nil.
func (d *Daemon) newWebhook() (*event.Webhook, error) {
	c := d.config
	if c.Webhook == "" {
		return nil, nil
	}
	w := &event.Webhook{
		Log: d.events, URL: c.Webhook, Filter: c.WebhookEvents, Dir: d.dir("events"), Logger: d.log,
		Client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	if c.WebhookSecret == "" {
		return w, nil
	}
	secret, err := os.ReadFile(c.WebhookSecret)
	if err != nil {
		return nil, api.Errorf(api.CodeInvalid, "webhook-secret: %v", err).WithHint("name a file that exists, or leave it out")
	}
	if w.Secret = bytes.TrimSpace(secret); len(w.Secret) == 0 {
		return nil, api.Errorf(api.CodeInvalid, "webhook-secret: %s is empty", c.WebhookSecret).WithHint("put the secret in it: openssl rand -hex 32")
	}
	return w, nil
}
