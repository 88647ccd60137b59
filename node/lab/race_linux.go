//go:build race

package lab

// Slack stretches what a test lets things take: the binary is built with the race detector, too.
const Slack = 3

var buildFlags = []string{"-race"}
