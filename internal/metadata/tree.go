package metadata

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// versions are the dates under which EC2 serves the tree; clients ask for the
// one they were written for. All serve the same.
var versions = []string{
	"1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
	"2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20",
	"2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01",
	"2020-10-27", "2021-01-03", "2021-03-23", "latest",
}

// tree maps the paths below a version to their bodies. A path that ends in a
// slash is the listing of what lies below it.
type tree map[string]string

// add puts a body at a path. An empty one is left out, as EC2 does.
func (t tree) add(path, body string) {
	if body != "" {
		t[path] = body
	}
}

// build makes the whole tree of v, listings included.
func build(v View) tree {
	t := tree{}
	identify(t, v)
	place(t, v)
	announce(t, v)
	for i, n := range v.Interfaces {
		connect(t, v, n, i)
	}
	listings(t)
	// These two lie outside the rule for listings.
	for i, k := range v.PublicKeys {
		t["meta-data/public-keys/"] += fmt.Sprintf("%d=%s\n", i, k.Name)
		t[fmt.Sprintf("meta-data/public-keys/%d/", i)] = "openssh-key"
		t[fmt.Sprintf("meta-data/public-keys/%d/openssh-key", i)] = k.OpenSSH
	}
	if len(v.UserData) > 0 {
		t["user-data"] = string(v.UserData)
	}
	return t
}

func identify(t tree, v View) {
	t.add("meta-data/ami-id", imageID(v.Image))
	t.add("meta-data/ami-launch-index", "0")
	t.add("meta-data/hostname", v.Hostname)
	t.add("meta-data/local-hostname", v.Hostname)
	t.add("meta-data/instance-id", instanceID(v.ID))
	t.add("meta-data/instance-type", v.Type)
	t.add("meta-data/instance-life-cycle", lifeCycle(v.Spot))
	t.add("meta-data/reservation-id", "r-"+v.ID)
	t.add("meta-data/security-groups", "default")
	t.add("meta-data/services/domain", "virga.internal")
	t.add("meta-data/services/partition", "virga")
	if v.Options.HideTags {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(v.Tags)) {
		if !strings.Contains(k, "/") { // a key with a slash cannot be a path, on EC2 neither
			t.add("meta-data/tags/instance/"+k, v.Tags[k])
		}
	}
}

func place(t tree, v View) {
	t.add("meta-data/placement/availability-zone", v.Node)
	t.add("meta-data/placement/availability-zone-id", v.Node)
	t.add("meta-data/placement/host-id", v.Node)
	t.add("meta-data/placement/region", v.Region)
}

// announce adds what an instance polls to learn that it must leave. Absent
// means that nothing was announced.
func announce(t tree, v View) {
	t.add("meta-data/events/maintenance/history", "[]")
	t.add("meta-data/events/maintenance/scheduled", "[]")
	t.add("meta-data/autoscaling/target-lifecycle-state", v.Lifecycle)
	if !v.Rebalance.IsZero() {
		t["meta-data/events/recommendations/rebalance"] = asJSON(struct {
			NoticeTime string `json:"noticeTime"`
		}{stamp(v.Rebalance)})
	}
	if a := v.Action; a != nil {
		t["meta-data/spot/instance-action"] = asJSON(struct {
			Action string `json:"action"`
			Time   string `json:"time"`
		}{a.Action, stamp(a.Time)})
		if a.Action != "hibernate" {
			t["meta-data/spot/termination-time"] = stamp(a.Time)
		}
	}
}

func connect(t tree, v View, n Interface, number int) {
	if number == 0 {
		t.add("meta-data/local-ipv4", addr(n.Address))
		t.add("meta-data/mac", n.MAC)
	}
	base := "meta-data/network/interfaces/macs/" + n.MAC + "/"
	t.add(base+"device-number", fmt.Sprint(number))
	t.add(base+"interface-id", "eni-"+strings.ReplaceAll(n.MAC, ":", ""))
	t.add(base+"local-hostname", v.Hostname)
	t.add(base+"local-ipv4s", addr(n.Address))
	t.add(base+"mac", n.MAC)
	t.add(base+"owner-id", v.Project)
	t.add(base+"security-groups", "default")
	t.add(base+"subnet-id", "subnet-"+n.Network)
	t.add(base+"subnet-ipv4-cidr-block", prefix(n.Subnet))
	t.add(base+"vpc-id", "vpc-"+v.Project)
	t.add(base+"vpc-ipv4-cidr-block", prefix(n.Subnet))
	t.add(base+"vpc-ipv4-cidr-blocks", prefix(n.Subnet))
	var v6 []string
	for _, a := range n.IPv6 {
		v6 = append(v6, a.String())
	}
	t.add(base+"ipv6s", strings.Join(v6, "\n"))
}

// listings adds the body of every directory: its entries in order, one a line,
// with a slash behind those that are directories.
func listings(t tree) {
	dirs := map[string]map[string]bool{}
	for path := range t {
		for dir, rest := "", path; ; {
			name, below, deeper := strings.Cut(rest, "/")
			entry := name
			if deeper {
				entry += "/"
			}
			if dirs[dir] == nil {
				dirs[dir] = map[string]bool{}
			}
			dirs[dir][entry] = true
			if !deeper {
				break
			}
			dir, rest = dir+entry, below
		}
	}
	for dir, entries := range dirs {
		if dir != "" {
			t[dir] = strings.Join(slices.Sorted(maps.Keys(entries)), "\n")
		}
	}
}

func instanceID(id string) string { return "i-" + id }

func imageID(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return "ami-" + hex[:min(17, len(hex))]
}

func lifeCycle(spot bool) string {
	if spot {
		return "spot"
	}
	return "on-demand"
}

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func prefix(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.Masked().String()
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only structs of strings come here
	}
	return string(b)
}
