// Package metrics shows the node and its instances to Prometheus. Nothing is
// kept between scrapes: each reads what there is at that moment, in bounded
// time and with a bounded number of readers. The names are documented in
// docs/metrics.md and are stable.
package metrics
