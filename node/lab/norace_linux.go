//go:build !race

package lab

// Slack stretches what a test lets things take.
const Slack = 1

var buildFlags []string
