package api

import (
	"context"
	"time"
)

// Token admits who knows its secret to the API over TLS. The daemon keeps a
// digest of the secret and nothing else of it.
type Token struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// Secret is shown once, in the answer to the call that made the token.
	Secret string `json:"secret,omitempty" readOnly:"true"`
}

// TokenRequest asks for a token.
type TokenRequest struct {
	Name string `json:"name"`
}

// Tokens lists tokens, without their secrets.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	var list []Token
	return list, c.call(ctx, "GET", "/tokens", nil, nil, &list)
}

// CreateToken makes a token; no later call shows its secret again.
func (c *Client) CreateToken(ctx context.Context, name string) (Token, error) {
	var t Token
	return t, c.call(ctx, "POST", "/tokens", nil, TokenRequest{name}, &t)
}

// RemoveToken takes effect at once: whoever uses the token is not let in again.
func (c *Client) RemoveToken(ctx context.Context, name string) error {
	return c.call(ctx, "DELETE", "/tokens/"+esc(name), nil, nil, nil)
}
