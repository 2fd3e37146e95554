package main

import (
	"net"

	"github.com/pion/dtls/v2"
	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v3"
)

// tcpReadBuffer is how many packets of a conn may wait to be read.
const tcpReadBuffer = 64

// newAPI makes Pion do the work that rtctcp-server does, and no more: ICE-lite, passive TCP candidates,
// AES-GCM, the DTLS server, receiver and sender reports, transport-wide feedback to publishers. Its NACK
// interceptors are left out: they keep each receiver's packets, to send again what TCP does not lose.
//
// writeBuffer is what may wait for a conn whose socket is full [octets]. With 0, which is Pion's
// default and costs least, one slow reader's write blocks the fan-out of its whole stream.
func newAPI(listener net.Listener, writeBuffer int) (*webrtc.API, error) {
	settings := webrtc.SettingEngine{}
	settings.SetLite(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	settings.SetICETCPMux(ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener:        listener,
		ReadBufferSize:  tcpReadBuffer,
		WriteBufferSize: writeBuffer,
	}))
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	// The only one: Pion takes the first of the client's that it has, and Chrome's first is AES-CM.
	settings.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	if err := settings.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return nil, err
	}
	offerAddress(&settings, listener.Addr().(*net.TCPAddr).IP)

	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	interceptors := &interceptor.Registry{}
	if err := webrtc.ConfigureRTCPReports(interceptors); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureTWCCSender(media, interceptors); err != nil {
		return nil, err
	}
	media.RegisterFeedback(webrtc.RTCPFeedback{Type: "nack", Parameter: "pli"}, webrtc.RTPCodecTypeVideo)
	return webrtc.NewAPI(
		webrtc.WithSettingEngine(settings),
		webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(interceptors),
	), nil
}

// offerAddress limits the candidates to the address listened on, unless that is a wildcard.
func offerAddress(settings *webrtc.SettingEngine, listened net.IP) {
	settings.SetIncludeLoopbackCandidate(listened.IsLoopback())
	if !listened.IsUnspecified() {
		settings.SetIPFilter(func(ip net.IP) bool { return ip.Equal(listened) })
	}
}
