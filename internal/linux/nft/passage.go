package nft

import (
	"fmt"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// passageChain is the chain that Docker makes beside its own rules for those of
// others, and never changes itself.
const passageChain = "DOCKER-USER"

// dockersBridges begin the names of the bridges of Docker's networks.
var dockersBridges = []string{"docker", "br-"}

// Passage keeps rules in DOCKER-USER as long as Docker's firewall drops what it
// does not know: a packet passes only when every table lets it, so no rule in a
// table of virga's could let it through. What comes from and goes to virga's
// bridges is judged by virga's own table; from there into Docker's networks
// Docker's rules decide as before. The rules come after those that are there,
// so that what an administrator wrote goes first, and they have a comment that
// says whose they are. They are such as the program iptables can read. Its methods
// may be called concurrently.
type Passage struct {
	bridges string // what the names of virga's bridges begin with
	comment string

	mu    sync.Mutex
	table *Table // +checklocks:mu; the connection
	seen  uint32 // +checklocks:mu; netfilter's generation when all was right
}

// OpenPassage connects to the netfilter of the caller's network namespace. name
// tells the rules of one daemon from those of another.
func OpenPassage(name, bridges string) (*Passage, error) {
	c, g, err := dial()
	if err != nil {
		return nil, err
	}
	return &Passage{bridges: bridges, comment: "virga: " + name, table: &Table{name: name, conn: c, gen: g}}, nil
}

// Close closes the sockets and leaves the rules as they are.
func (p *Passage) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.table.Close()
}

// Keep makes the rules those that are needed now, and says whether it changed
// any. It costs one question to the kernel as long as nobody has changed anything
// in netfilter since the last call.
func (p *Passage) Keep() (changed bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	now, err := p.table.now()
	if err != nil || now == p.seen {
		return false, err
	}
	chains, err := p.chains()
	if err != nil {
		return false, err
	}
	for _, c := range chains {
		did, err := p.set(c.Chain, c.needed)
		if err != nil {
			return changed, err
		}
		changed = changed || did
	}
	if !changed {
		p.seen = now
	}
	return changed, nil
}

// Delete takes the rules away; none is no error.
func (p *Passage) Delete() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	chains, err := p.chains()
	if err != nil {
		return err
	}
	for _, c := range chains {
		if _, err := p.set(c.Chain, false); err != nil {
			return err
		}
	}
	return nil
}

// Chains names the chains that have rules of virga's, as Droppers names those
// of others.
func (p *Passage) Chains() ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	chains, err := p.chains()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range chains {
		rules, err := p.table.conn.GetRules(c.Table, c.Chain)
		if err != nil {
			return nil, fmt.Errorf("read chain %s: %w", c.Name, err)
		}
		if slices.ContainsFunc(rules, p.own) {
			out = append(out, chainName(c.Chain))
		}
	}
	slices.Sort(out)
	return out, nil
}

// crossing is a chain for the rules of others.
type crossing struct {
	*nftables.Chain
	needed bool // its table drops what is forwarded, unless a rule allows it
}

// +checklocks:p.mu
func (p *Passage) chains() ([]crossing, error) {
	all, err := p.table.conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	var out []crossing
	for _, c := range all {
		if c.Name != passageChain || c.Table.Family != nftables.TableFamilyIPv4 && c.Table.Family != nftables.TableFamilyIPv6 {
			continue
		}
		drops := slices.ContainsFunc(all, func(o *nftables.Chain) bool {
			return o.Table.Family == c.Table.Family && o.Table.Name == c.Table.Name && dropsForwarded(o)
		})
		out = append(out, crossing{c, drops})
	}
	return out, nil
}

// set makes the rules in one chain all or none, in one transaction.
//
// +checklocks:p.mu
func (p *Passage) set(c *nftables.Chain, wanted bool) (changed bool, err error) {
	rules, err := p.table.conn.GetRules(c.Table, c)
	if err != nil {
		return false, fmt.Errorf("read chain %s: %w", c.Name, err)
	}
	var want [][]expr.Any
	if wanted {
		want = p.rules()
	}
	var own []*nftables.Rule
	for _, r := range rules {
		if p.own(r) {
			own = append(own, r)
		}
	}
	if slices.EqualFunc(own, want, func(r *nftables.Rule, exprs []expr.Any) bool { return gist(r.Exprs) == gist(exprs) }) {
		return false, nil
	}
	for _, r := range own {
		if err := p.table.conn.DelRule(r); err != nil {
			return false, err
		}
	}
	last := len(rules) - 1
	for _, exprs := range want {
		r := &nftables.Rule{Table: c.Table, Chain: c, Exprs: exprs, UserData: userdata.AppendString(nil, userdata.TypeComment, p.comment)}
		if last >= 0 && returns(rules[last]) && !p.own(rules[last]) {
			r.Position = rules[last].Handle // nothing after it would be asked
			p.table.conn.InsertRule(r)
			continue
		}
		p.table.conn.AddRule(r)
	}
	if err := p.table.conn.Flush(); err != nil {
		return false, fmt.Errorf("set rules of %s: %w", chainName(c), err)
	}
	return true, nil
}

func (p *Passage) own(r *nftables.Rule) bool {
	s, ok := userdata.GetString(r.UserData, userdata.TypeComment)
	return ok && s == p.comment
}

// rules are what is put into a chain.
func (p *Passage) rules() (out [][]expr.Any) {
	from := interfaceBegins(expr.MetaKeyIIFNAME, p.bridges)
	for _, b := range dockersBridges {
		out = append(out, rule(from, interfaceBegins(expr.MetaKeyOIFNAME, b), counter(), match{&expr.Verdict{Kind: expr.VerdictReturn}}))
	}
	return append(out,
		rule(from, counter(), accept()),
		rule(interfaceBegins(expr.MetaKeyOIFNAME, p.bridges), counter(), accept()))
}

func interfaceBegins(key expr.MetaKey, prefix string) match {
	return match{&expr.Meta{Key: key, Register: unix.NFT_REG_1}, &expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte(prefix)}}
}

// gist is what a rule says, without what it has counted.
func gist(exprs []expr.Any) (s string) {
	for _, e := range exprs {
		switch e := e.(type) {
		case *expr.Meta:
			s += fmt.Sprint("meta ", e.Key, " ")
		case *expr.Cmp:
			s += fmt.Sprintf("cmp %d %s ", e.Op, e.Data)
		case *expr.Verdict:
			s += fmt.Sprint("verdict ", e.Kind)
		case *expr.Counter:
		default:
			s += fmt.Sprintf("%T ", e)
		}
	}
	return s
}

// returns says that a rule ends its chain for every packet.
func returns(r *nftables.Rule) bool {
	ends := false
	for _, e := range r.Exprs {
		switch e := e.(type) {
		case *expr.Counter:
		case *expr.Verdict:
			ends = e.Kind == expr.VerdictReturn
		default:
			return false
		}
	}
	return ends
}

// dropsForwarded says that a chain drops what is forwarded unless a rule allows it.
func dropsForwarded(c *nftables.Chain) bool {
	return c.Hooknum != nil && *c.Hooknum == *nftables.ChainHookForward && c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
}

var familyNames = map[nftables.TableFamily]string{
	nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6", nftables.TableFamilyINet: "inet", nftables.TableFamilyBridge: "bridge",
}

func chainName(c *nftables.Chain) string {
	return familyNames[c.Table.Family] + " " + c.Table.Name + " " + c.Name
}
