// The pod with which cert-manager answers a challenge by HTTP, under the stock program's options.
package main

import (
	"flag"
	"log"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	"github.com/go-logr/logr"
)

func main() {
	var it solver.HTTP01Solver
	flag.IntVar(&it.ListenPort, "listen-port", 8089, "port of the challenge")
	flag.StringVar(&it.Domain, "domain", "", "host of the challenge")
	flag.StringVar(&it.Token, "token", "", "token of the challenge")
	flag.StringVar(&it.Key, "key", "", "answer to the challenge")
	flag.Parse()
	log.Fatal(it.Listen(logr.Discard()))
}
