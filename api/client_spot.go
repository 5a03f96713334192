package api

import (
	"context"
	"net/url"
)

// SpotMarket returns what spare capacity costs.
func (c *Client) SpotMarket(ctx context.Context) (SpotMarket, error) {
	var m SpotMarket
	return m, c.call(ctx, "GET", "/spot", nil, nil, &m)
}

// SpotHistory returns the prices since a time (RFC 3339) or a duration before
// now, "" for a day, and the one that was in force before, oldest first.
func (c *Client) SpotHistory(ctx context.Context, since string) ([]SpotPoint, error) {
	q := url.Values{}
	if since != "" {
		q.Set("since", since)
	}
	var list []SpotPoint
	return list, c.call(ctx, "GET", "/spot/history", q, nil, &list)
}
