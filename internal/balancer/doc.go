// Package balancer makes services work on a node: it follows the store's
// services and instances, and keeps the kernel's maps (tcp and udp), the proxy
// (http and https), the names and the checks as they should be.
//
//	store ──watch──▶ Controller ──▶ control/service: who is behind it, in what state
//	                     │              ▲ verdicts, draining
//	                     ├──▶ plan (pure): fronts, doors
//	                     ├──▶ network.Fabric.SetFronts: addresses, names, kernel maps
//	                     ├──▶ doors: a listener with a proxy for each address and port of HTTP
//	                     └──▶ checks: one goroutine for each backend of a service
//
// A change is applied as a whole and is safe to repeat. Nothing is kept but in
// memory: after a restart of the daemon all is made again from the store, and
// what the kernel balances has gone on meanwhile.
//
// Lock order: Controller.applying, then Controller.mu. Neither is held while
// waiting for requests to end.
package balancer
