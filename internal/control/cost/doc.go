// Package cost turns what ran into money. It answers two questions with the
// same records: what a project owes at list prices (Bill), and where the price
// of the machine went (Split: workload, idle and overhead, which add up to it).
// It is pure; the ledger that feeds it is the node's.
package cost
