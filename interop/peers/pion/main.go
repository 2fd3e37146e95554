// Command pion-server is a small WHIP/WHEP server on Pion, to measure rtctcp-server against: the same
// paths, media over one TCP port with passive ICE-TCP candidates only, AEAD_AES_128_GCM preferred, and
// each stream fanned out as Pion's own broadcast example does it.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "HTTP: `ADDR:PORT`, port 0 for any free one")
	media := flag.String("media", "127.0.0.1:0", "ICE-TCP, DTLS and SRTP: `ADDR:PORT`")
	writeBuffer := flag.Int("write-buffer", 0, "what may wait for a full socket; 0: its stream waits [`octets`]")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*listen, *media, *writeBuffer); err != nil {
		log.Fatalf("pion-server: %v", err)
	}
}

// run serves until SIGTERM or SIGINT.
func run(listen, media string, writeBuffer int) error {
	mediaListener, err := net.Listen("tcp", media)
	if err != nil {
		return err
	}
	api, err := newAPI(mediaListener, writeBuffer)
	if err != nil {
		return err
	}
	httpListener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/, media on %s\n", httpListener.Addr(), mediaListener.Addr())

	ended := make(chan error, 1)
	go func() { ended <- http.Serve(httpListener, newServer(api)) }()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err = <-ended:
		return err
	case <-signals:
		return nil
	}
}
