package main

import (
	"sync"
	"sync/atomic"
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

// stream is what one publisher sends.
type stream struct {
	publisher *webrtc.PeerConnection

	mu        sync.Mutex
	tracks    []*relay
	askedLast time.Time
}

// relay passes one track of the publisher on to all players.
type relay struct {
	local *webrtc.TrackLocalStaticRTP
	ssrc  uint32 // the publisher's, atomic; 0 until its first packet
}

// agree makes a track for each codec that was agreed with the publisher, so that players can come before
// its first packet.
func (s *stream) agree() error {
	for _, transceiver := range s.publisher.GetTransceivers() {
		codecs := transceiver.Receiver().GetParameters().Codecs
		if len(codecs) == 0 {
			continue
		}
		if _, err := s.relayOf(codecs[0].RTPCodecCapability, transceiver.Kind()); err != nil {
			return err
		}
	}
	return nil
}

// relayOf finds the track of a codec, or adds it.
func (s *stream) relayOf(codec webrtc.RTPCodecCapability, kind webrtc.RTPCodecType) (*relay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, track := range s.tracks {
		if track.local.Codec().MimeType == codec.MimeType {
			return track, nil
		}
	}
	local, err := webrtc.NewTrackLocalStaticRTP(codec, kind.String(), "pion")
	if err != nil {
		return nil, err
	}
	track := &relay{local: local}
	s.tracks = append(s.tracks, track)
	return track, nil
}

// relayTrack reads one track of the publisher until it ends.
func (s *stream) relayTrack(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	track, err := s.relayOf(remote.Codec().RTPCodecCapability, remote.Kind())
	if err != nil {
		return
	}
	atomic.StoreUint32(&track.ssrc, uint32(remote.SSRC()))
	s.askKeyframe(track)
	buffer := make([]byte, maxPacket)
	for {
		n, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		// What one player does not take is that player's loss; the others have got it.
		_, _ = track.local.Write(buffer[:n])
	}
}

// relays gives the tracks that are known so far.
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
	ssrc := atomic.LoadUint32(&track.ssrc)
	if ssrc == 0 || track.local.Kind() != webrtc.RTPCodecTypeVideo {
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
	_ = s.publisher.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}})
}

// askKeyframes is for a player that has just joined.
func (s *stream) askKeyframes() {
	for _, track := range s.relays() {
		s.askKeyframe(track)
	}
}
