package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

const (
	// queueTimeout is less than the time between two samples.
	queueTimeout = 900 * time.Millisecond
	// maxQueueAnswer bounds what is read of an answer, in bytes.
	maxQueueAnswer = 64 << 10
)

// queues asks for the lengths of queues.
type queues struct{ http.Client }

// length is the length of a queue at present.
func (q *queues) length(ctx context.Context, src api.QueueSource) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	address := src.URL
	if src.Query != "" {
		address = strings.TrimSuffix(address, "/") + "/api/v1/query?query=" + url.QueryEscape(src.Query)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	answer, err := q.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxQueueAnswer))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", src.URL, err)
	}
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s answers %s", src.URL, answer.Status)
	}
	if src.Query != "" {
		return promSum(b)
	}
	if src.Pointer != "" {
		return jsonNumber(b, src.Pointer)
	}
	return number(string(b))
}

// jsonNumber is the length that a JSON pointer (RFC 6901) finds, a number or
// one in quotes.
func jsonNumber(b []byte, pointer string) (float64, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return 0, fmt.Errorf("decode the answer: %w", err)
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch in := v.(type) {
		case map[string]any:
			v = in[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(in) {
				return 0, fmt.Errorf("the answer has nothing at %s", pointer)
			}
			v = in[i]
		default:
			return 0, fmt.Errorf("the answer has nothing at %s", pointer)
		}
	}
	switch n := v.(type) {
	case json.Number:
		return number(n.String())
	case string:
		return number(n)
	}
	return 0, fmt.Errorf("the answer has no number at %s", pointer)
}

// number reads a length.
func number(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0, fmt.Errorf("%.40q is not the length of a queue", s)
	}
	return v, nil
}

// promSum adds up the values of Prometheus' answer to an instant query.
func promSum(b []byte) (float64, error) {
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Type   string          `json:"resultType"`
			Result json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return 0, fmt.Errorf("decode the answer of Prometheus: %w", err)
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("the query failed: %.200s", answer.Error)
	}
	var pairs [][]any
	switch answer.Data.Type {
	case "scalar":
		var pair []any
		if err := json.Unmarshal(answer.Data.Result, &pair); err != nil {
			return 0, fmt.Errorf("decode a scalar: %w", err)
		}
		pairs = append(pairs, pair)
	case "vector":
		var series []struct {
			Value []any `json:"value"`
		}
		if err := json.Unmarshal(answer.Data.Result, &series); err != nil {
			return 0, fmt.Errorf("decode a vector: %w", err)
		}
		for _, s := range series {
			pairs = append(pairs, s.Value)
		}
	default:
		return 0, fmt.Errorf("the query answers with a %.20q, not with a scalar or a vector", answer.Data.Type)
	}
	sum := 0.0
	for _, p := range pairs {
		text, ok := "", len(p) == 2
		if ok {
			text, ok = p[1].(string)
		}
		v, err := number(text)
		if !ok || err != nil {
			return 0, fmt.Errorf("the query's result holds %v instead of a number", p)
		}
		sum += v
	}
	return sum, nil
}
