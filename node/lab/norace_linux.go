//go:build !race

package lab

// Slack stretches what a test lets things take.
const Slack = 1

// atOnce is how many tests run at the same time: they wait most of it.
const atOnce = "8"

var buildFlags []string
