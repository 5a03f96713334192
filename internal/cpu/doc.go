// Package cpu gives instances their part of a node's CPUs.
//
//	Claim ──▶ Controller ──▶ Grant                what the engine starts a life with
//	             │   ▲
//	    cores    │   │ usage, each second          dedicated: exclusive cores (pool)
//	    accounts ▼   │                             burst: an account of CPU credits (credit)
//	           Groups (cgroups)                    quota and CPU sets of running lives
//
// The Controller is the only writer of the quotas of burst instances and of CPU
// sets. Shares and plain quotas never change by themselves: the engine sets
// them once. Accounts are written to a Journal, from which a restarted daemon
// goes on; the usage counters of the kernel tell it what happened meanwhile.
//
// A Controller's methods may be called concurrently. Its one lock is held over
// writes to cgroup files, which do not block, and never over the journal.
package cpu
