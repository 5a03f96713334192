package command

import (
	"slices"
	"strings"
)

// maxTypos is by how many letters a word may differ from a name that is
// suggested for it.
const maxTypos = 2

// Suggestions are the names of commands below c that word may have meant, the
// nearest first.
func (c *Command) Suggestions(word string) []string {
	word = strings.ToLower(word)
	var near []string
	distance := map[string]int{}
	for _, child := range c.shown() {
		name := child.Name()
		d := edits(word, strings.ToLower(name))
		if d <= maxTypos || word != "" && strings.HasPrefix(name, word) {
			near = append(near, name)
			distance[name] = d
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return distance[a] - distance[b] })
	return near
}

// edits is by how many letters added, left out, replaced or exchanged with
// their neighbour a becomes b.
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
