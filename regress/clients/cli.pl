#!/usr/bin/perl
# A client of the command language as scripts in the field have them, written
# from reference/cli-on-the-wire: greeting, APOP by its stamp (or USER, PASS),
# INLINE, lines that end in LF alone, names without quotes, answers parsed into
# Perl's data.  cli_clients.py runs it; it says what went wrong and exits 1.
use strict;
use warnings;

package CommandLine;
use Digest::MD5 qw(md5_hex);
use IO::Socket::INET;

sub new {
	my ($class, %arg) = @_;
	my $self = bless { %arg, used => 0 }, $class;
	return $self->connect ? $self : undef;
}

sub connect {
	my $self = shift;
	$self->{sock} = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $self->{port}, Timeout => 60) or return 0;
	$self->{sock}->autoflush(1);
	return $self->read_answer && $self->login && $self->send('INLINE');
}

sub login {
	my $self = shift;
	my ($stamp) = $self->{text} =~ /(<[^<>@\s]+@[^<>@\s]+>)/;
	if (defined $stamp && !$self->{plain}) {
		return $self->send("APOP $self->{login} " .
		    md5_hex($stamp . $self->{password}));
	}
	$self->send("USER $self->{login}");
	return 0 if $self->{code} != 300;
	return $self->send("PASS $self->{password}");
}

# An idle client is closed by the server: it comes back by itself.
sub send {
	my ($self, $line) = @_;
	if ($self->{used} && time - $self->{used} > 290) {
		$self->{used} = 0;
		$self->connect or return 0;
	}
	print { $self->{sock} } "$line\n";
	$self->{used} = time;
	return $self->read_answer;
}

sub read_answer {
	my $self = shift;
	my $line = readline $self->{sock};
	die "the server has gone\n" unless defined $line;
	$line =~ s/\r?\n$//;
	($self->{code}, $self->{text}) = $line =~ /^(\d+) ?(.*)$/
	    or die "no code: $line\n";
	return $self->{code} >= 200 && $self->{code} < 300;
}

# What the last answer was, as Perl's own data.
sub data {
	my $self = shift;
	return undef if $self->{code} != 201;
	my $text = $self->{text};
	my $v = value(\$text);
	die "left over: $text\n" if $text =~ /\S/;
	return $v;
}

sub ask {
	my ($self, $line) = @_;
	$self->send($line) or
	    die "$line: $self->{code} $self->{text}\n";
	return $self->data;
}

sub refused {
	my ($self, $line) = @_;
	die "$line: $self->{code} $self->{text}\n" if $self->send($line);
	die "$line: $self->{code}\n" if $self->{code} !~ /^5\d\d$/;
	return $self->{code};
}

my %escape = (r => "\r", n => "\n", e => "\n", t => "\t");

sub string {
	my $t = shift;
	if ($$t =~ s/^"([^"\\]*+(?:\\.[^"\\]*+)*+)"//s) {
		my $s = $1;
		$s =~ s/\\(\d{3}|.)/length $1 == 3 ? chr $1 :
		    exists $escape{$1} ? $escape{$1} : $1/ges;
		return $s;
	}
	return $1 if $$t =~ s/^([^\s{}()=;,"]+)//;
	die "no string: " . substr($$t, 0, 60) . "\n";
}

sub value {
	my $t = shift;
	$$t =~ s/^\s+//;
	if ($$t =~ s/^\{\s*//) {
		my %d;
		while ($$t !~ s/^\}//) {
			my $key = string($t);
			$$t =~ s/^\s*=\s*// or die "no =: $$t\n";
			$d{$key} = value($t);
			$$t =~ s/^\s*;\s*// or die "no ;: $$t\n";
		}
		return \%d;
	}
	if ($$t =~ s/^\(\s*//) {
		my @a;
		until ($$t =~ s/^\s*\)//) {
			push @a, value($t);
			$$t =~ s/^\s*,\s*//;
		}
		return \@a;
	}
	return string($t);
}

package main;
use MIME::Base64 qw(encode_base64 decode_base64);

my $domain = 'perl.example';

sub is {
	my ($got, $want, $what) = @_;
	$got = 'undef' unless defined $got;
	die "$what: $got, not $want\n" if $got ne $want;
}

sub keys_are {
	my ($d, $want, $what) = @_;
	is(join(' ', sort keys %$d), $want, $what);
}

sub domains {
	my $c = shift;
	$c->ask("CreateDomain $domain");
	$c->refused("CreateDomain $domain");
	my $all = $c->ask('ListDomains');
	die "ListDomains\n" unless grep { $_ eq $domain } @$all;
	is($c->ask('MainDomainName'), $ENV{CG_DOMAIN}, 'MainDomainName');
	$c->ask("UpdateDomainSettings $domain {AccountsLimit=50;}");
	is($c->ask("GetDomainSettings $domain")->{AccountsLimit}, 50,
	    'AccountsLimit');
	$c->ask("SetDomainAliases $domain (also.$domain)");
	is($c->ask("GetDomainAliases $domain")->[0], "also.$domain",
	    'GetDomainAliases');
	$c->ask("UpdateAccountDefaults $domain {MaxMailboxes=20;}");
	is($c->ask("GetAccountDefaults $domain")->{MaxMailboxes}, 20,
	    'GetAccountDefaults');
	$c->ask("UpdateAccountTemplate $domain {RealName=\"Not yet named\";}");
	is($c->ask("GetAccountTemplate $domain")->{RealName}, 'Not yet named',
	    'GetAccountTemplate');
}

sub accounts {
	my $c = shift;
	my $u = "u\@$domain";
	$c->ask("CreateAccount $u {RealName=\"A \\\"B\\\"\";Password=x1;}");
	is($c->refused("CreateAccount $u"), 501, 'code');
	is($c->refused("GetAccount nobody\@$domain"), 500, 'unknown');
	keys_are($c->ask("ListAccounts $domain"), 'u', 'ListAccounts');
	is($c->ask("GetAccount $u")->{RealName}, 'A "B"', 'RealName');
	$c->ask("updateaccountsettings $u {RealName=\"Zo\xc3\xab\";}");
	is($c->ask("gtacnt $u")->{RealName}, "Zo\xc3\xab", 'UTF-8');
	is($c->ask("GetAccountEffectiveSettings $u")->{MaxMailboxes}, 20,
	    'effective');
	$c->ask("SetAccountPassword $u PASSWORD n3w=+/ CHECK");
	$c->ask("VerifyAccountPassword $u PASSWORD n3w=+/");
	$c->refused("VerifyAccountPassword $u PASSWORD n3w");
	$c->ask("SetAccountAliases $u (first.last,fl)");
	is(join(',', sort @{ $c->ask("GetAccountAliases $u") }),
	    'first.last,fl', 'aliases');
	$c->ask("SetAccountRights $u (BasicSettings)");
	is($c->ask("GetAccountRights $u")->[0], 'BasicSettings', 'rights');
	is($c->ask("GetAccountLocation $u"), 'u.macnt', 'location');
	is($c->ask("GetAccountInfo $u Key LastLogin"), '', 'LastLogin');
	keys_are($c->ask("GetAccountStat $u"), '', 'GetAccountStat');
	$c->ask("RenameAccount $u into v\@$domain");
	$c->ask("RenameAccount v\@$domain into $u");
}

sub objects {
	my $c = shift;
	$c->ask("CreateGroup team\@$domain {Members=(u);}");
	is($c->ask("ListGroups $domain")->[0], 'team', 'ListGroups');
	is($c->ask("GetGroup team\@$domain")->{Members}[0], 'u', 'GetGroup');
	$c->ask("RenameGroup team\@$domain into crew\@$domain");
	$c->ask("DeleteGroup crew\@$domain");
	$c->ask("CreateForwarder away\@$domain TO someone\@far.example");
	is($c->ask("GetForwarder away\@$domain"), 'someone@far.example',
	    'GetForwarder');
	is($c->ask("ListForwarders $domain")->[0], 'away', 'ListForwarders');
	$c->ask("DeleteForwarder away\@$domain");
	$c->ask("PostDomainAlert $domain ALERT \"a b\"");
	my $alerts = $c->ask("GetDomainAlerts $domain");
	is(join(',', values %$alerts), 'a b', 'GetDomainAlerts');
	$c->ask("RemoveDomainAlert $domain ALERT " . (keys %$alerts)[0]);
	keys_are($c->ask("GetDomainAlerts $domain"), '', 'no alerts');
}

sub mailboxes {
	my $c = shift;
	my $u = "u\@$domain";
	$c->ask("CreateMailbox $u MAILBOX Work/2026");
	my $all = $c->ask("ListMailboxes $u FILTER Work*");
	keys_are($all, 'Work Work/2026', 'ListMailboxes');
	is(ref $all->{Work}, 'ARRAY', 'a folder');
	is($all->{'Work/2026'}{Messages}, 0, 'Messages');
	$c->ask("SetMailboxACL $u MAILBOX Work/2026 {anyone=lr;}");
	is($c->ask("GetMailboxRights $u MAILBOX Work/2026 AUTH postmaster"),
	    'lrswipcda', 'rights of the Master');
	is($c->ask("GetMailboxACL $u MAILBOX Work/2026")->{anyone}, 'lr',
	    'GetMailboxACL');
	$c->ask("RenameMailbox $u MAILBOXES Work INTO Done");
	$c->ask("GetMailboxInfo $u MAILBOX Done/2026");
	$c->ask("DeleteMailbox $u MAILBOXES Done");
	$c->refused("GetMailboxInfo $u MAILBOX Done/2026");
	$c->ask("SetAccountSubscription $u (INBOX,\"~boss/INBOX\")");
	is(join(',', @{ $c->ask("GetAccountSubscription $u") }),
	    'INBOX,~boss/INBOX', 'subscription');
	$c->ask("SetMailboxAliases $u {boss=\"~boss/INBOX\";}");
	is($c->ask("GetMailboxAliases $u")->{boss}, '~boss/INBOX', 'aliases');
}

sub web {
	my $c = shift;
	my $u = "u\@$domain";
	my $bytes = join '', map { chr($_ * 7 & 255) } 0 .. 99999;
	$c->ask("PutWebFile $u FILE docs/a.bin DATA " .
	    encode_base64($bytes, ''));
	my $file = $c->ask("GetWebFile $u FILE docs/a.bin");
	die "GetWebFile: other bytes\n"
	    if decode_base64($file->[0]) ne $bytes;
	die "GetWebFile: $file->[1]\n" if $file->[1] !~ /^\d{14}$/;
	is(ref $c->ask("ListWebFiles $u")->{docs}, 'ARRAY', 'folder');
	is($c->ask("ListWebFiles $u PATH docs")->{'a.bin'}{Size}, 100000,
	    'Size');
	is(join(',', @{ $c->ask("GetWebFilesInfo $u") }), '100000,2', 'info');
	$c->ask("RenameWebFile $u FILE docs/a.bin INTO b.bin");
	$c->ask("DeleteWebFile $u FILE b.bin");
	$c->ask("DeleteWebFile $u FILE docs");
}

sub server {
	my $c = shift;
	$c->ask('Noop');
	is($c->ask('Echo ok'), 'ok', 'Echo');
	die "GetVersion\n" if $c->ask('GetVersion') !~ /^\d+\.\d/;
	die "GetCurrentTime\n" if $c->ask('GetCurrentTime') !~ /^#T\d\d-/;
	my $names = $c->ask('ListCLICommands');
	die "ListCLICommands\n" if @$names < 100;
	my $smtp = $c->ask('GetModule SMTP');
	$c->ask("UpdateModule SMTP {LogLevel=$smtp->{LogLevel};}");
	$c->ask('SetRouterTable "<x@y.example> = z\e; note\e"');
	is($c->ask('GetRouterTable'), "<x\@y.example> = z\n; note\n",
	    'GetRouterTable');
	$c->ask('SetRouterTable ""');
	is($c->ask("Route u\@$domain")->[0], 'LOCAL', 'Route');
	$c->ask('GetProtection');
	$c->ask('WriteLog 2 "the perl client was here"');
	is(ref $c->ask('ListQueues'), 'ARRAY', 'ListQueues');
	die "ListLists\n" if $c->refused('ListLists') != 501 ||
	    $c->{text} !~ /not available yet/;
}

sub cleanup {
	my $c = shift;
	$c->ask("DeleteAccount u\@$domain");
	$c->ask("DeleteDomain $domain force");
	$c->send('QUIT') or die "QUIT\n";
}

for my $plain (0, 1) {
	my $c = CommandLine->new(port => $ENV{CG_PWD}, plain => $plain,
	    login => $ENV{CG_ADMIN_NAME}, password => $ENV{CG_ADMIN_PASSWORD})
	    or die "no login\n";
	for my $family (\&domains, \&accounts, \&objects, \&mailboxes, \&web,
	    \&server, \&cleanup) {
		$family->($c);
	}
}
print "ok\n";
