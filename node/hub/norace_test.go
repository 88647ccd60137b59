//go:build !race

package hub

const race = false
