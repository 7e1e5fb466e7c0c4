#!/usr/bin/perl
# A sample external authenticator (extauth(7)): it checks passwords against a
# file of lines "name@domain:password" and makes an account for a name of that
# file that the server does not know yet.
#
#	extauth.pl /etc/cgate/extauth.users [host:port user password-file]
#
# Install it in a directory that helper-dirs of cgserver.conf lists, owned by
# root and writable by nobody else; the file must be readable by helper-user.
# Then:
#	cgctl UpdateModule Main '{ExternalAUTH={Enabled=YES;
#	    ProgramName="/usr/local/libexec/cgate-helpers/extauth.pl
#	    /etc/cgate/extauth.users";};}'
#	cgctl UpdateAccountDefaults '{UseExtPassword=YES;}'
#	cgctl UpdateDomainSettings example.com '{ExternalOnUnknown=YES;}'
use strict;
use warnings;
use IO::Socket::INET;

my ($users, $server, $admin, $secret) = @ARGV;
$| = 1;				# each answer goes out at once

sub password_of {
	my ($name) = @_;
	my $found;

	open(my $f, '<', $users) or return undef;
	while (my $line = <$f>) {
		chomp $line;
		my ($n, $p) = split /:/, $line, 2;
		$found = $p if defined $p && lc $n eq lc $name;
	}
	close $f;
	return $found;
}

# One command of the administration language; true if it was done.
sub ask {
	my ($s, $line) = @_;

	print $s "$line\r\n";
	my $answer = <$s> // '';
	return $answer =~ /^[23]/;
}

sub make_account {
	my ($name) = @_;

	open(my $f, '<', $secret) or return 0;
	chomp(my $password = <$f>);
	close $f;
	my $s = IO::Socket::INET->new(PeerAddr => $server, Timeout => 10)
	    or return 0;
	<$s>;
	return ask($s, "USER $admin") && ask($s, "PASS $password") &&
	    ask($s, "CreateAccount \"$name\" {UseExtPassword=YES;}") &&
	    ask($s, "QUIT");
}

while (my $line = <STDIN>) {
	$line =~ s/\r?\n$//;
	if ($line =~ /^(\d+) INTF (\d+)$/) {
		print "$1 OK 1\n";
	} elsif ($line =~ /^(\d+) VRFY (?:\(\S+\) )?(\S+) (.*)$/) {
		my $password = password_of($2);
		print defined $password && $password eq $3 ? "$1 OK\n" :
		    "$1 ERROR incorrect password\n";
	} elsif ($line =~ /^(\d+) NEW (\S+)$/) {
		print defined $server && defined password_of($2) &&
		    make_account($2) ? "$1 OK\n" :
		    "$1 ERROR this account is not known\n";
	} elsif ($line =~ /^(\d+) /) {
		print "$1 ERROR not done here\n";
	} else {
		print "* what is that?\n";
	}
}
