//go:build race

package lab

// Slack stretches what a test lets things take: the binary is built with the race detector, too.
const Slack = 3

// atOnce is how many tests run at the same time: they wait most of it.
const atOnce = "4"

var buildFlags = []string{"-race"}
