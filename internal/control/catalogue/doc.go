// Package catalogue is the list of instance types: those built in, those the
// operator adds in a file, and the rule by which each is turned into limits.
package catalogue
