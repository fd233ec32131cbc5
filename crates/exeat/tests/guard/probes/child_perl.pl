#!/usr/bin/perl
# A child of Perl.
use strict;
use IO::Socket::INET;
my $child = fork();
if ($child) { waitpid($child, 0); exit($? >> 8); }
alarm 3;
my $outside = IO::Socket::INET->new(PeerAddr => "45.79.0.1", PeerPort => 443, Timeout => 1);
if ($outside) {
    $outside->autoflush(1);
    print $outside "probe\n";
    my $line = <$outside>;
    if (defined $line && $line =~ /heard/) { print "leaked answered\n"; exit 10; }
}
print "blocked ", ($! || "no answer"), "\n";
exit 0;
