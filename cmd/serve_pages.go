package cmd

import (
	"crypto/rand"
	"io"
	"net/http"

	"agentxchain/internal/dashboard"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/secret"
	"agentxchain/internal/server"
)

// pages is what the dashboard keeps over reloads.
type pages struct {
	// secret signs sessions where the configuration has none; it lasts as long
	// as the process.
	secret secret.Text
	// link lets the owner in where there are no accounts, with token; nil where
	// there are.
	link  *dashboard.LoginLink
	token secret.Text
}

// show makes the handler of a plan. It is not in place yet.
func (f *face) show(plan servePlan) (http.Handler, error) {
	o := server.Options{
		Keys: plan.keys, Open: plan.open, PublicPaths: plan.publicPaths, Hosts: plan.hosts, Unkept: plan.unkept,
		Metrics: f.metrics, Logger: f.app.log, Now: f.app.Now,
	}
	if f.service != nil {
		o.Log, o.Overview, o.Desk = f.service.Log(), f.service.Log(), f.service
	}
	var err error
	if o.Dashboard, err = f.dashboard(plan); err != nil {
		return nil, err
	}
	return server.New(o), nil
}

func (f *face) dashboard(plan servePlan) (http.Handler, error) {
	if !plan.pages {
		return nil, nil
	}
	o := dashboard.Options{
		Title: plan.title, Accounts: plan.accounts, Open: plan.openPages, Unkept: plan.unkept,
		SessionSecret: plan.sessionSecret, Now: f.app.Now, Entropy: f.app.Entropy, Logger: f.app.log,
		Stop: f.closing,
	}
	if o.SessionSecret.IsZero() {
		o.SessionSecret = f.pages.lasting()
	}
	if plan.loginLink {
		if err := f.pages.offer(f.app.Entropy); err != nil {
			return nil, err
		}
		o.LoginLink = f.pages.link
	}
	if f.service != nil {
		o.Log, o.Overview, o.Names, o.Desk = f.service.Log(), f.service.Log(), f.service.Log(), f.service
	}
	return dashboard.New(o)
}

func (p *pages) lasting() secret.Text {
	if p.secret.IsZero() {
		p.secret = secret.New(rand.Text())
	}
	return p.secret
}

// offer makes the link, once.
func (p *pages) offer(entropy io.Reader) error {
	if p.link != nil {
		return nil
	}
	var err error
	p.link, p.token, err = dashboard.NewLoginLink(entropy)
	return err
}

// login is the link that lets the owner in once; empty where there are accounts.
func (p *pages) login(url string) string {
	if p.link == nil {
		return ""
	}
	return url + "/dashboard/login?token=" + p.token.Reveal()
}

// servingDocument tells a script where the process answers. The link that lets
// the owner in is no part of it: scripts keep what they read.
func servingDocument(url string, pages bool) *ecmajson.Value {
	doc := ecmajson.NewObject().Set("url", ecmajson.NewString(url))
	if pages {
		doc.Set("dashboard", ecmajson.NewString(url+"/dashboard/notifications"))
	}
	return doc
}
