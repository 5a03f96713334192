package cli

import (
	"fmt"
	"net/netip"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// networkCreate is virga network create.
type networkCreate struct {
	subnets, gateways, labels []string
	ipv6                      bool
	request                   api.NetworkRequest
}

func networkCreateCommand(a *App) *command.Command {
	n := &networkCreate{}
	cmd := &command.Command{
		Use:   "create [flags] NAME",
		Short: "Make a network",
		Example: "  virga network create front\n  virga network create --internal --subnet 10.20.0.0/24 back\n" +
			"  virga network create --subnet 10.30.0.0/24 --subnet fd00:30::/64 --mtu 9000 lab",
		Args: arguments(1, 1),
		Run: func(cmd *command.Command, args []string) error {
			n.request.Name = args[0]
			if err := n.complete(); err != nil {
				return err
			}
			made, err := a.api().CreateNetwork(cmd.Context(), n.request)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Out, made.Name)
			return nil
		},
	}
	n.register(cmd.Flags())
	return cmd
}

func (n *networkCreate) register(f *pflag.FlagSet) {
	s := &n.request.Spec
	listVar(f, &n.subnets, "subnet", "", "`subnet`, IPv4 or IPv6; once for each (default a free one)")
	listVar(f, &n.gateways, "gateway", "", "the node's `address` in a subnet (default its first)")
	f.BoolVar(&n.ipv6, "ipv6", true, "give instances IPv6 addresses too")
	f.BoolVar(&s.Internal, "internal", false, "no way out, and no way in from outside")
	f.BoolVar(&s.Isolated, "isolated", false, "instances do not see each other")
	f.StringVar((*string)(&s.Policy), "policy", "", "what no rule speaks of: allow or deny (default deny when internal)")
	f.IntVar(&s.MTU, "mtu", 0, "largest packet in `bytes` (default 1500)")
	listVar(f, &n.labels, "label", "l", "set a label (`KEY=VALUE`)")
	f.BoolVar(&n.request.IfNotExists, "if-not-exists", false, "a network of that name that is as asked is no error")
	f.StringP("driver", "d", "bridge", "ignored: there is one kind of network")
	_ = f.MarkHidden("driver")
}

// complete reads what the flags say into the request.
func (n *networkCreate) complete() error {
	s := &n.request.Spec
	s.IPv4Only = !n.ipv6
	for _, text := range n.subnets {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return api.Invalid("subnet", "%q is not a subnet", text).WithHint("such as 10.20.0.0/24 or fd00:20::/64")
		}
		to := &s.Subnet
		if p.Addr().Is6() {
			to = &s.Subnet6
		}
		if to.IsValid() {
			return api.Invalid("subnet", "subnets %s and %s are of the same family", *to, p).WithHint("a network has one of each at most")
		}
		*to = p
	}
	for _, text := range n.gateways {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return api.Invalid("gateway", "%q is not an address", text)
		}
		if a.Is6() {
			s.Gateway6 = a
			continue
		}
		s.Gateway = a
	}
	var err error
	n.request.Labels, err = readLabels(n.labels, nil)
	return err
}
