package spot

import "math"

const (
	// lowest is the spot price of an idle node, as a share of the on-demand
	// price: 90 % off, the most that EC2 gives.
	lowest = 0.1
	// knee is the utilisation up to which the price stays at the lowest.
	knee = 0.5
)

// Price is the share of the on-demand price that spot capacity costs on a node
// that is utilised that much (0 to 1): 0.1 up to half full, from there in
// proportion to the square of the way to full, 1 when full. The function is
// published, so that anyone can work a price out.
func Price(utilisation float64) float64 {
	if math.IsNaN(utilisation) {
		return 1
	}
	way := (min(max(utilisation, knee), 1) - knee) / (1 - knee)
	return lowest + (1-lowest)*way*way
}
