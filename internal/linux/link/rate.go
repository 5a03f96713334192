package link

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Limits of what a token bucket holds. Bursts let a rate be kept although the
// timer comes late; the queue absorbs what a sender sends at once.
const (
	bucketTime  = 50 // a burst is what passes in 1 s / bucketTime
	queueTime   = 10 // a queue is what passes in 1 s / queueTime
	bucketLeast = 32 << 10
	queueLeast  = 128 << 10
)

// SetRate lets at most bits per second leave by the link of an index: a token
// bucket in the place of its queue. What comes faster waits, and is dropped
// when the queue is full. Safe to repeat, also with another rate: the bucket is
// always a new one, and what waits in the old one is dropped. Changed in place,
// it would wait for ever if it held a packet larger than the new burst.
func SetRate(index int, bits int64) []Request {
	r := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	r.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(index), Parent: rootQueue})
	r.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("tbf")))
	bytes := uint64(bits) / 8
	burst := max(bytes/bucketTime, bucketLeast)
	const ethernet = 1 // TC_LINKLAYER_ETHERNET: no table of times is needed
	parms := nl.TcTbfQopt{Limit: uint32(min(burst+max(bytes/queueTime, queueLeast), 1<<31))}
	parms.Rate.Linklayer, parms.Rate.Rate = ethernet, uint32(min(bytes, 1<<32-1))
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_TBF_PARMS, parms.Serialize())
	options.AddRtAttr(nl.TCA_TBF_BURST, nl.Uint32Attr(uint32(min(burst, 1<<31))))
	if bytes >= 1<<32 {
		options.AddRtAttr(nl.TCA_TBF_RATE64, nl.Uint64Attr(bytes))
	}
	r.AddData(options)
	return []Request{ClearRate(index), {op: "set rate", msg: r}}
}

// ClearRate takes the rate of the link of an index away; none is no error.
func ClearRate(index int) Request {
	r := nl.NewNetlinkRequest(unix.RTM_DELQDISC, 0)
	r.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(index), Parent: rootQueue})
	return Request{op: "clear rate", msg: r, done: []unix.Errno{unix.ENOENT, unix.EINVAL}}
}

// AddFunnel makes an intermediate link, through which what comes in by another
// one can be led to be kept to a rate; one that exists is no error. Its alias
// says whose it is.
func AddFunnel(name string) Request {
	r := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	r.AddData(upInfo(0))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("ifb"))
	r.AddData(info)
	return Request{op: "add ifb " + name, msg: r, done: []unix.Errno{unix.EEXIST}}
}

// Lead leads all that comes in by one link through a funnel and back. Safe to
// repeat.
func Lead(index, funnel int) []Request {
	q := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	q.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(index), Handle: ingressHandle, Parent: ingressQueue})
	q.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("ingress")))

	f := nl.NewNetlinkRequest(unix.RTM_NEWTFILTER, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	all := uint32(nl.Swap16(unix.ETH_P_ALL))
	f.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(index), Handle: firstFilter, Parent: ingressHandle, Info: 1<<16 | all})
	f.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("u32")))
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	// Nothing is compared: every packet matches.
	every := nl.TcU32Sel{Flags: nl.TC_U32_TERMINAL, Nkeys: 1, Keys: []nl.TcU32Key{{}}}
	options.AddRtAttr(nl.TCA_U32_SEL, every.Serialize())
	action := options.AddRtAttr(nl.TCA_U32_ACT, nil).AddRtAttr(1, nil)
	action.AddRtAttr(nl.TCA_ACT_KIND, nl.ZeroTerminated("mirred"))
	const redirect, stolen = 1, 4 // TCA_EGRESS_REDIR, TC_ACT_STOLEN
	to := nl.TcMirred{TcGen: nl.TcGen{Action: stolen}, Eaction: redirect, Ifindex: uint32(funnel)}
	action.AddRtAttr(nl.TCA_ACT_OPTIONS, nil).AddRtAttr(nl.TCA_MIRRED_PARMS, to.Serialize())
	f.AddData(options)
	exists := []unix.Errno{unix.EEXIST}
	return []Request{{op: "add ingress queue", msg: q, done: exists}, {op: "lead to ifb", msg: f, done: exists}}
}

// Unlead ends what Lead began; where it did not is no error.
func Unlead(index int) Request {
	r := nl.NewNetlinkRequest(unix.RTM_DELQDISC, 0)
	r.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(index), Handle: ingressHandle, Parent: ingressQueue})
	return Request{op: "end of lead to ifb", msg: r, done: []unix.Errno{unix.ENOENT, unix.EINVAL}}
}

const (
	rootQueue     = 0xffffffff // TC_H_ROOT
	ingressQueue  = 0xfffffff1 // TC_H_INGRESS
	ingressHandle = 0xffff0000
	firstFilter   = 0x80000800 // as u32 numbers its first one
)
