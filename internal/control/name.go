package control

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// NewID makes the id of an object: 16 characters of lower-case base32.
func NewID() string { return strings.ToLower(rand.Text()[:16]) }

// NewName makes a name of two words, the same rules as for any name applying.
// It is likely, not certain, to be free.
func NewName() string {
	return pick(adjectives) + "-" + pick(nouns)
}

func pick(words []string) string {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(words))))
	if err != nil {
		return words[0] // never: crypto/rand does not fail
	}
	return words[n.Int64()]
}

// The words are of the sky, the sea and the craft of measuring.
var (
	adjectives = strings.Fields(`able amber apt arctic azure bold brave brief bright brisk calm candid civil clear
		clever coastal cool coral cosmic crisp deft eager early earnest even fair fast fine firm fleet fresh gentle glad
		golden grand green handy happy hardy honest humble ivory jolly keen kind late level light lively loyal lucid lunar
		mellow merry mild modest neat nimble noble northern open patient plain polar prompt proud quick quiet rapid ready
		rosy royal rural sage silent silver sleek smooth snug solar sound southern spry stable steady stellar still stout
		sturdy sunny sure swift tidal tidy timely trusty upbeat urban vast vivid warm western wise witty`)
	nouns = strings.Fields(`anchor apex arc atlas aurora basin bay beacon bridge brook buoy cape caravel cedar chart
		cirrus cliff comet compass cove crane crater creek delta dune eclipse ember fathom fjord flint foam galaxy galley
		garnet gauge geyser glacier globe grove gulf gull harbor harpoon haven helm heron horizon inlet island isle jetty
		kelp keel lagoon lantern ledge lens lichen lighthouse loom lynx mantle maple marsh mast meadow meridian mesa meteor
		mist moon moraine nebula needle oar oasis orbit osprey otter parallel peak pebble petrel pier pilot pine plateau
		plover plumb prism pulsar quartz quay quill raft rapids reef ridge rigging river rudder sail schooner sextant shoal
		shore skiff slate sloop solstice spruce starling stern stone strait summit swell tern tide timber transit tundra
		vale valley vane vector vega virgo voyage wave willow wren zenith zephyr`)
)
