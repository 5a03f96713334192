// Package compose reads Compose files and translates them into what virga
// makes of them. Load does the I/O that a project needs: its files, includes,
// env files. Translate is pure: (project, options) → plan, so that golden files
// show what each field becomes. What is not honoured is named in the plan's
// warnings; nothing is dropped in silence.
//
//	compose.yaml ──Load──▶ types.Project ──Translate──▶ Plan ──deploy──▶ API
//
// The packages beneath act on a plan (deploy) and are the command (command).
package compose
