package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/pion/webrtc/v3"
)

const maxOffer = 64 << 10 // [octets]

var streamName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// server answers POST /whip/NAME and /whep/NAME with a session, and DELETE on the session's Location.
type server struct {
	api *webrtc.API

	mu       sync.Mutex
	streams  map[string]*stream                // by name
	sessions map[string]*webrtc.PeerConnection // by path
}

// refusal is an error with the status that the peer is told.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func newServer(api *webrtc.API) *server {
	return &server{
		api:      api,
		streams:  map[string]*stream{},
		sessions: map[string]*webrtc.PeerConnection{},
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/healthz":
		w.WriteHeader(http.StatusOK)
	case parts[0] != "whip" && parts[0] != "whep":
		http.NotFound(w, r)
	case r.Method == http.MethodPost && len(parts) == 2 && streamName.MatchString(parts[1]):
		s.open(w, r, parts[0], parts[1])
	case r.Method == http.MethodDelete && len(parts) == 3:
		s.end(w, r)
	default:
		http.NotFound(w, r)
	}
}

// open answers an offer with a new session.
func (s *server) open(w http.ResponseWriter, r *http.Request, role, name string) {
	offer, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOffer))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	path, err := newPath(role, name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var answer string
	if role == "whip" {
		answer, err = s.publish(path, name, string(offer))
	} else {
		answer, err = s.play(path, name, string(offer))
	}
	if err != nil {
		status := http.StatusBadRequest
		if refused, ok := err.(*refusal); ok {
			status = refused.status
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // a peer that has gone is told nothing
}

// end closes a session at its peer's wish.
func (s *server) end(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	pc := s.sessions[r.URL.Path]
	delete(s.sessions, r.URL.Path)
	s.mu.Unlock()
	if pc == nil {
		http.NotFound(w, r)
		return
	}
	_ = pc.Close() // which tells the session's onClose
	w.WriteHeader(http.StatusOK)
}

func (s *server) publish(path, name, offer string) (string, error) {
	pc, err := s.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	made := &stream{publisher: pc}
	pc.OnTrack(made.relayTrack)
	s.mu.Lock()
	taken := s.streams[name] != nil
	if !taken {
		s.streams[name] = made
	}
	s.mu.Unlock()
	if taken {
		_ = pc.Close()
		return "", &refusal{http.StatusConflict, "the stream has a publisher already"}
	}
	answer, err := s.start(path, pc, offer, func() {
		s.mu.Lock()
		delete(s.streams, name)
		s.mu.Unlock()
	})
	if err == nil {
		err = made.agree()
	}
	return answer, err
}

func (s *server) play(path, name, offer string) (string, error) {
	s.mu.Lock()
	played := s.streams[name]
	s.mu.Unlock()
	if played == nil || len(played.relays()) == 0 {
		return "", &refusal{http.StatusNotFound, "nobody publishes this stream"}
	}
	pc, err := s.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	if err = played.addTo(pc); err != nil {
		_ = pc.Close()
		return "", err
	}
	pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		if state == webrtc.ICEConnectionStateConnected {
			played.askKeyframes()
		}
	})
	return s.start(path, pc, offer, func() {})
}

// start negotiates a session and remembers it; onClose is called once, when it has ended or could not
// begin.
func (s *server) start(path string, pc *webrtc.PeerConnection, offer string, onClose func()) (string, error) {
	var once sync.Once
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateFailed:
			_ = pc.Close()
		case webrtc.PeerConnectionStateClosed:
			s.mu.Lock()
			delete(s.sessions, path)
			s.mu.Unlock()
			once.Do(onClose)
		}
	})
	answer, err := negotiate(pc, offer)
	if err != nil {
		_ = pc.Close()
		once.Do(onClose)
		return "", err
	}
	s.mu.Lock()
	s.sessions[path] = pc
	s.mu.Unlock()
	return answer, nil
}

// negotiate gives the answer to an offer, with all candidates in it.
func negotiate(pc *webrtc.PeerConnection, offer string) (string, error) {
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := pc.SetRemoteDescription(remote); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err = pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

// newPath makes a session's Location, which nobody can guess.
func newPath(role, name string) (string, error) {
	var secret [16]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("/%s/%s/%s", role, name, hex.EncodeToString(secret[:])), nil
}
