package main

import (
	"errors"
	"net"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

func startEtcd(dir string) (endpoint string, err error) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.LogLevel = "error"
	cfg.UnsafeNoFsync = true
	client, peer, err := freePorts()
	if err != nil {
		return "", err
	}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return "", err
	}
	select {
	case <-e.Server.ReadyNotify():
		return client.String(), nil
	case <-time.After(30 * time.Second):
		return "", errors.New("etcd was not ready within 30 s")
	}
}

// freePorts keeps both listeners open until it knows both ports, so that the ports differ.
func freePorts() (client, peer url.URL, err error) {
	for _, target := range []*url.URL{&client, &peer} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return client, peer, err
		}
		defer listener.Close()
		*target = url.URL{Scheme: "http", Host: listener.Addr().String()}
	}
	return client, peer, nil
}
