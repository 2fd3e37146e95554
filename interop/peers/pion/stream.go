package main

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

const (
	// maxPacket is the longest RTP packet that is passed on [octets].
	maxPacket = 1500
	// keyframeInterval is how often a publisher is asked for a keyframe at most.
	keyframeInterval = 500 * time.Millisecond
)

// stream is what one publisher sends. Its tracks come with their first packets.
type stream struct {
	publisher *webrtc.PeerConnection

	mu        sync.Mutex
	tracks    []*relay
	askedLast time.Time
}

// relay passes one track of the publisher on to all players.
type relay struct {
	remote *webrtc.TrackRemote
	local  *webrtc.TrackLocalStaticRTP
}

// relayTrack reads one track of the publisher until it ends.
func (s *stream) relayTrack(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	local, err := webrtc.NewTrackLocalStaticRTP(remote.Codec().RTPCodecCapability, remote.Kind().String(), "pion")
	if err != nil {
		return
	}
	s.mu.Lock()
	s.tracks = append(s.tracks, &relay{remote, local})
	s.mu.Unlock()

	buffer := make([]byte, maxPacket)
	for {
		n, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		// What one player does not take is that player's loss; the others have got it.
		_, _ = local.Write(buffer[:n])
	}
}

// relays gives the tracks that have come so far.
func (s *stream) relays() []*relay {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*relay(nil), s.tracks...)
}

// addTo gives a player all tracks of the stream.
func (s *stream) addTo(player *webrtc.PeerConnection) error {
	for _, track := range s.relays() {
		sender, err := player.AddTrack(track.local)
		if err != nil {
			return err
		}
		go s.readFeedback(sender, track)
	}
	return nil
}

// readFeedback passes a player's wishes for keyframes on, until the player ends.
func (s *stream) readFeedback(sender *webrtc.RTPSender, track *relay) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				s.askKeyframe(track)
			}
		}
	}
}

// askKeyframe asks the publisher for a keyframe, but not too often.
func (s *stream) askKeyframe(track *relay) {
	if track.remote.Kind() != webrtc.RTPCodecTypeVideo {
		return
	}
	s.mu.Lock()
	soon := time.Since(s.askedLast) < keyframeInterval
	if !soon {
		s.askedLast = time.Now()
	}
	s.mu.Unlock()
	if soon {
		return
	}
	// An error means that the publisher has gone: so does this stream.
	_ = s.publisher.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.remote.SSRC())}})
}

// askKeyframes is for a player that has just joined.
func (s *stream) askKeyframes() {
	for _, track := range s.relays() {
		s.askKeyframe(track)
	}
}
