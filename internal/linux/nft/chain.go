package nft

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// chain is a base chain with its rules.
type chain struct {
	*nftables.Chain
	rules [][]expr.Any
}

// chains is the whole of virga's rules; the package's doc has the picture.
func chains(t *nftables.Table, s sets) []chain {
	filter, nat := nftables.ChainTypeFilter, nftables.ChainTypeNAT
	// route_localnet is on for published ports of 127.0.0.1. The address is
	// asked first: that is less than a look into a set.
	loopbackGuard := rule(loopback(true), fromBridge(s.bridges), drop())
	publish := [][]expr.Any{
		rule(toNode(), redirect(false, true, s.exact[0])),
		rule(toNode(), redirect(false, false, s.ports[0])),
		rule(toNode(), redirect(true, true, s.exact[1])),
		rule(toNode(), redirect(true, false, s.ports[1])),
	}
	publishOwn := slices.Clone(publish)
	for i := 2; i < 4; i++ {
		// Nothing comes back to ::1 from a link: who listens there answers.
		publishOwn[i] = rule(toNode(), notLoopback6(), publish[i][len(toNode()):])
	}
	return []chain{
		// Of type nat, which only what opens a connection meets, and before all
		// that translate. The rest is dropped in chain node.
		base(t, "guard", nat, nftables.ChainHookPrerouting, -199, [][]expr.Any{loopbackGuard}),
		base(t, "publish", nat, nftables.ChainHookPrerouting, -100, append([][]expr.Any{
			rule(toMetadata(), portTo(unix.IPPROTO_TCP, 80), redirectByBridge(s.metadata)),
		}, publish...)),
		base(t, "publish-own", nat, nftables.ChainHookOutput, -100, publishOwn),
		base(t, "wall", filter, nftables.ChainHookForward, 0, [][]expr.Any{
			rule(state(established), accept()),
			rule(between(s.inside), accept()),
			rule(fromBridge(s.internal), drop()),
			rule(toBridge(s.internal), drop()),
			rule(published(), accept()),
			// What is left goes between networks, between the instances of
			// an isolated one, or comes from outside unasked.
			rule(toBridge(s.bridges), drop()),
		}),
		base(t, "node", filter, nftables.ChainHookInput, 0, [][]expr.Any{
			rule(state(established), accept()),
			loopbackGuard,
			// A service of an internal network is for that network.
			rule(frontOf(false, s.fronts[0]), accept()),
			rule(frontOf(true, s.fronts[1]), accept()),
			rule(fromBridge(s.internal), doorOf(s.doors), accept()),
			rule(notFrom("lo\x00"), to(false, s.inward[0]), drop()),
			rule(notFrom("lo\x00"), to(true, s.inward[1]), drop()),
			rule(fromBridge(s.internal), portTo(unix.IPPROTO_UDP, 53), accept()),
			rule(fromBridge(s.internal), portTo(unix.IPPROTO_TCP, 53), accept()),
			// Guests of virtual machines ask for their addresses.
			rule(fromBridge(s.internal), portTo(unix.IPPROTO_UDP, 67), accept()),
			rule(fromBridge(s.internal), portTo(unix.IPPROTO_UDP, 547), accept()),
			rule(fromBridge(s.internal), protocol(unix.IPPROTO_ICMP), accept()),
			rule(fromBridge(s.internal), protocol(unix.IPPROTO_ICMPV6), accept()),
			rule(fromBridge(s.internal), drop()),
		}),
		base(t, "leave", nat, nftables.ChainHookPostrouting, 100, [][]expr.Any{
			rule(from(false, s.subnets[0]), toOutside(s.bridges), masquerade()),
			rule(from(true, s.subnets[1]), toOutside(s.bridges), masquerade()),
			// A published port used from inside: the answer must come back
			// through the node to be translated.
			rule(from(false, s.subnets[0]), toBridge(s.bridges), published(), masquerade()),
			rule(from(true, s.subnets[1]), toBridge(s.bridges), published(), masquerade()),
			rule(loopback(false), toBridge(s.bridges), masquerade()),
		}),
	}
}

func base(t *nftables.Table, name string, typ nftables.ChainType, hook *nftables.ChainHook, priority int, rules [][]expr.Any) chain {
	policy := nftables.ChainPolicyAccept
	return chain{
		Chain: &nftables.Chain{
			Table: t, Name: name, Type: typ, Hooknum: hook,
			Priority: nftables.ChainPriorityRef(nftables.ChainPriority(priority)),
			Policy:   &policy,
		},
		rules: rules,
	}
}
