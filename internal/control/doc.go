// Package control is the control plane's front: it decides whether what a user
// asks for may exist, completes it, binds it to a node and stores it as
// desired state. The packages below it are the store, the log of events and
// the controllers.
package control
