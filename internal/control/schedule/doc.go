// Package schedule chooses the node of an instance: among those that may have
// it and have the room, the one that its group's placement prefers. It is pure:
// a choice depends on the nodes and the request alone, and of equal nodes the
// first by name is taken, so that running it again gives the same answer.
//
// Filters come first, each with a reason, and then one order:
//
//	lost or closed ─ conditions on its labels ─ apart ─ with ─ most per node ─ room ─▶ spread or pack
//
// What nobody can take is explained by how many nodes each filter refused.
package schedule
