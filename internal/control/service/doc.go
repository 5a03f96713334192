// Package service decides what services are: it completes and checks their
// specifications, and says which instances stand behind one and in what state.
//
// It is pure: what it knows is given, and it does nothing. The node's
// internal/balancer acts on what it says.
package service
