package api

import "context"

// Services lists services.
func (c *Client) Services(ctx context.Context) ([]Service, error) {
	var list []Service
	return list, c.call(ctx, "GET", "/services", nil, nil, &list)
}

// Service returns one service.
func (c *Client) Service(ctx context.Context, name string) (Service, error) {
	var s Service
	return s, c.call(ctx, "GET", "/services/"+esc(name), nil, nil, &s)
}

// CreateService makes a service.
func (c *Client) CreateService(ctx context.Context, r ServiceRequest) (Service, error) {
	var s Service
	return s, c.call(ctx, "POST", "/services", nil, r, &s)
}

// UpdateService replaces a service's specification; its address stays. A TLS
// key that is left out with its certificate given stays as it was.
func (c *Client) UpdateService(ctx context.Context, name string, spec ServiceSpec) (Service, error) {
	var s Service
	return s, c.call(ctx, "PUT", "/services/"+esc(name), nil, spec, &s)
}

// RemoveService removes a service; its instances stay.
func (c *Client) RemoveService(ctx context.Context, name string) error {
	return c.call(ctx, "DELETE", "/services/"+esc(name), nil, nil, nil)
}

// Authority is the certificate, in PEM, of the node's own CA, which signs the
// certificates of https services.
func (c *Client) Authority(ctx context.Context) (string, error) {
	var out struct{ Certificate string }
	return out.Certificate, c.call(ctx, "GET", "/authority", nil, nil, &out)
}
