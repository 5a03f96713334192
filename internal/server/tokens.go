package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/store"
)

func (s *Server) tokenRoutes() {
	route(s, http.MethodGet, "/v1/tokens", "List tokens, without their secrets", s.listTokens)
	route(s, http.MethodPost, "/v1/tokens", "Make a token; its secret is in this answer only", s.createToken)
	route(s, http.MethodDelete, "/v1/tokens/{name}", "Remove a token", s.removeToken)
}

// tokenPrefix lets people and scanners for secrets see what a string is.
const tokenPrefix = "virga-"

// admitBearer lets a request in whose Authorization header has a token's secret.
func (s *Server) admitBearer(header string) error {
	secret, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return api.Errorf(api.CodeForbidden, "the request has no token").
			WithHint("send the header Authorization: Bearer TOKEN; virga token create makes tokens on the node")
	}
	digest := []byte(digestOf(secret))
	if slices.ContainsFunc(s.Store.Tokens.Views(), func(t *store.Token) bool {
		return subtle.ConstantTimeCompare([]byte(t.Digest), digest) == 1
	}) {
		return nil
	}
	return api.Errorf(api.CodeForbidden, "the token is unknown or was removed").
		WithHint("virga token create makes tokens on the node")
}

// digestOf needs no salt and no slow hash: a secret has 160 random bits.
func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func (s *Server) listTokens(context.Context, *none) (*body[[]api.Token], error) {
	list := []api.Token{}
	for _, t := range s.Store.Tokens.Views() {
		list = append(list, api.Token{Name: t.Name, Created: t.Created})
	}
	slices.SortFunc(list, func(a, b api.Token) int { return cmp.Compare(a.Name, b.Name) })
	return &body[[]api.Token]{list}, nil
}

type createToken struct{ Body api.TokenRequest }

type createdToken struct {
	Status int
	Body   api.Token
}

func (s *Server) createToken(ctx context.Context, r *createToken) (*createdToken, error) {
	if err := api.ValidateName("name", r.Body.Name); err != nil {
		return nil, err
	}
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails
	t := api.Token{Name: r.Body.Name, Created: time.Now().UTC(), Secret: tokenPrefix + hex.EncodeToString(b)}
	err := s.Store.Tokens.Create(ctx, &store.Token{
		Meta: api.Meta{ID: control.NewID(), Name: t.Name, Created: t.Created}, Digest: digestOf(t.Secret),
	})
	if err != nil {
		return nil, err
	}
	s.Events.Append(api.Event{Kind: "token", Action: "create", Name: t.Name})
	return &createdToken{http.StatusCreated, t}, nil
}

type tokenName struct {
	Name string `path:"name"`
}

func (s *Server) removeToken(ctx context.Context, n *tokenName) (*none, error) {
	t, err := s.Store.Tokens.ByName("", n.Name)
	if err != nil {
		return nil, err
	}
	if err := s.Store.Tokens.Delete(ctx, t.ID); err != nil {
		return nil, err
	}
	s.Events.Append(api.Event{Kind: "token", Action: "remove", Name: t.Name})
	return &none{}, nil
}
