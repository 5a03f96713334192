package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Policy says which instances may open connections to which others. Deny wins
// over allow; where neither speaks, guarded subnets deny and others allow.
// Replies to what was allowed pass: only the opening of a TCP connection is
// judged, and datagrams pass both ways.
type Policy struct {
	Guarded []netip.Prefix
	Rules   []PolicyRule
}

// PolicyRule is one rule with the addresses that its selectors mean now.
type PolicyRule struct {
	ID       string
	Allow    bool
	From, To []netip.Addr
	Protocol uint8  // 0 is every one
	Port     uint16 // 0 is every one
}

// Count is what a rule has matched.
type Count struct{ Packets, Bytes uint64 }

// Policies is virga's tables of rules between instances: one of family bridge
// for frames within a network, one of family inet for what the node routes.
// There are none while the policy is empty. Its methods may be called
// concurrently.
type Policies struct {
	name string

	mu     sync.Mutex
	conn   *nftables.Conn   // +checklocks:mu
	policy Policy           // +checklocks:mu
	counts map[string]Count // +checklocks:mu; of rules before the last Set
}

// OpenPolicies connects to the netfilter of the caller's network namespace. It
// changes nothing.
func OpenPolicies(name string) (*Policies, error) {
	c, err := open()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return &Policies{name: name, conn: c, counts: map[string]Count{}}, nil
}

// Close closes the socket and leaves the tables as they are.
func (p *Policies) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn.CloseLasting()
}

func (p *Policies) tables() []*nftables.Table {
	return []*nftables.Table{
		{Name: p.name, Family: nftables.TableFamilyBridge},
		{Name: p.name + "-rules", Family: nftables.TableFamilyINet},
	}
}

// Set makes the policy the one given, in one transaction. Counters go on.
func (p *Policies) Set(policy Policy) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts, err := p.count()
	if err != nil {
		return err
	}
	p.counts, p.policy = counts, policy
	return p.write()
}

// Delete removes the tables; ones that are gone are no error.
func (p *Policies) Delete() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.policy = Policy{}
	return p.write()
}

// Repair writes the tables again when another program has changed them, and
// says whether it had to.
func (p *Policies) Repair() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.policy.empty() {
		return false, nil
	}
	for _, t := range p.tables() {
		for _, c := range p.policy.chains(t) {
			rules, err := p.conn.GetRules(t, c.Chain)
			if err != nil || len(rules) != len(c.rules) {
				return true, p.write()
			}
		}
	}
	return false, nil
}

// Counts is what each rule has matched, by its id.
func (p *Policies) Counts() (map[string]Count, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count()
}

func (p Policy) empty() bool { return len(p.Guarded) == 0 && len(p.Rules) == 0 }

// write replaces both tables.
//
// +checklocks:p.mu
func (p *Policies) write() error {
	for i, t := range p.tables() {
		p.conn.AddTable(t)
		p.conn.DelTable(t)
		if p.policy.empty() {
			continue
		}
		p.conn.AddTable(t)
		for _, s := range p.policy.sets(t) {
			if err := p.conn.AddSet(s.Set, nil); err != nil {
				return fmt.Errorf("add nftables set %s: %w", s.Name, err)
			}
			for chunk := range slices.Chunk(s.elements, elementsPerMessage) {
				if err := p.conn.SetAddElements(s.Set, chunk); err != nil {
					return fmt.Errorf("fill nftables set %s: %w", s.Name, err)
				}
			}
		}
		chains := p.policy.chains(t)
		for _, c := range chains {
			p.conn.AddChain(c.Chain)
		}
		for _, c := range chains {
			for _, r := range c.rules {
				p.conn.AddRule(&nftables.Rule{Table: t, Chain: c.Chain, Exprs: p.carried(r, i), UserData: []byte(r.id)})
			}
		}
	}
	if err := p.conn.Flush(); err != nil {
		return fmt.Errorf("set nftables tables of rules: %w", err)
	}
	return nil
}

// carried lets the counter of a rule in the first table begin where the one
// before it was.
//
// +checklocks:p.mu
func (p *Policies) carried(r policyRule, table int) []expr.Any {
	n, ok := p.counts[r.id]
	if !ok || table > 0 {
		return r.exprs
	}
	out := slices.Clone(r.exprs)
	for i, e := range out {
		if _, ok := e.(*expr.Counter); ok {
			out[i] = &expr.Counter{Packets: n.Packets, Bytes: n.Bytes}
			delete(p.counts, r.id)
		}
	}
	return out
}

// +checklocks:p.mu
func (p *Policies) count() (map[string]Count, error) {
	out := map[string]Count{}
	for _, t := range p.tables() {
		for _, c := range p.policy.chains(t) {
			rules, err := p.conn.GetRules(t, c.Chain)
			if errors.Is(err, errNoEntry) || p.policy.empty() {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("read nftables rules: %w", err)
			}
			for _, r := range rules {
				for _, e := range r.Exprs {
					if n, ok := e.(*expr.Counter); ok && len(r.UserData) > 0 {
						id := string(r.UserData)
						out[id] = Count{out[id].Packets + n.Packets, out[id].Bytes + n.Bytes}
					}
				}
			}
		}
	}
	return out, nil
}
