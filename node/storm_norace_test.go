//go:build !race

package node_test

const defaultStorms = 24
