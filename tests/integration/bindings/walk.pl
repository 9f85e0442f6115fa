# SPDX-License-Identifier: LGPL-2.1-or-later
#
# walk.py for Sys::Virt: runs the statements of .walk files with the stock Perl binding and writes what each one gave.
#
# usage: walk.pl DIR FILE...   (a scratch directory; secrets.walk speaks to $MODVIRT_SECRETS_URI when that is set)
#
# Each line of a .walk file is a statement, and a question; "! " before it: is none. "OBJECT: CALL; CALL" asks for each of
# the methods of an object. There are $conn and $ro (the second read-only), $D (DIR), and the functions below. At the end
# stands which methods were never called, and which constants no file names.
use strict;
use warnings;
use Digest::SHA;
use Sys::Virt;
use Sys::Virt::Event;

our ($conn, $ro, $D, $label, @heard);
my (%never_called, %never_named);

# Public methods and constants of the packages; of connections those that are about these.
for my $package (map { "Sys::Virt$_" } '', '::StoragePool', '::StorageVol', '::Secret', '::Stream') {
    no strict 'refs';
    no warnings qw(redefine prototype);
    for my $name (sort grep { defined &{"${package}::$_"} } keys %{"${package}::"}) {
        next if $package eq 'Sys::Virt' && $name !~ /storage|secret|stream/;
        my $full = "${package}::$name";
        if ($name =~ /^[A-Z][A-Z_0-9]+$/) {
            $never_named{$full} = 1 if $name ne 'DESTROY';
        } elsif ($name !~ /^_|^new$/) {
            my $method = \&{$full};
            $never_called{$full} = 1;
            *{$full} = sub { delete $never_called{$full}; goto &$method };
        }
    }
}

sub document {
    my $text = shift;
    $text =~ s/>\s+</></g;
    $text =~ s/<(\w+)([^<>]*)><\/\1>/<$1$2\/>/g;
    $text =~ s/(<(?:allocation|available) unit='bytes'>)\d{9,}/$1N/g;
    $text =~ s/(<[amcb]time>)[\d.]+/$1N/g;
    $text =~ s/></>\n</g;
    $text =~ s/\s+$//;
    return $text;
}

sub shown {
    my $v = shift;
    return 'undef' if !defined $v;
    my $is = ref $v;
    return '<pool ' . $v->get_name() . '>' if $is eq 'Sys::Virt::StoragePool';
    return '<volume ' . $v->get_path() . '>' if $is eq 'Sys::Virt::StorageVol';
    return '<secret ' . $v->get_uuid_string() . '>' if $is eq 'Sys::Virt::Secret';
    return 'error ' . $v->code . ' domain ' . $v->domain if $is eq 'Sys::Virt::Error';
    return '{' . join(', ', map { "$_: " . shown($v->{$_}) } sort keys %$v) . '}' if $is eq 'HASH';
    return '[' . join(', ', map { shown($_) } @$v) . ']' if $is eq 'ARRAY';
    return "<$is>" if $is;
    return document($v) if $v =~ /^</;
    return length($v) . ' bytes, ' . Digest::SHA::sha1_hex($v) if length $v > 64;
    return $v =~ /[^ -~]/ ? unpack('H*', $v) : $v;
}

sub question {
    my ($command, $function) = @_;
    print "### $label $command\n";
    my @values = eval { $function->() };
    if (my $error = $@) {
        my $ours = ref $error eq 'Sys::Virt::Error';
        my $text = $ours ? $error->message : "$error";
        print "text: $text\n=> ", $ours ? shown($error) : 'died', "\n";
    } else {
        my @lines = map { shown($_) } @values;
        @lines = sort @lines if grep { ref } @values;       # lists of objects have no order
        print map { "$_\n" } @lines, '=> ' . scalar @values;
    }
}

# What the statements can use: the value of a call or its error as a value, constants whose names begin so, contents.
sub ask { my $f = shift; my $v = eval { $f->() }; return $@ ? (ref $@ ? $@ : 'died') : $v }
sub flags {
    my $prefix = shift;
    no strict 'refs';
    my @names = grep { /^\Q$prefix/ } keys %never_named, keys %main::named;
    $main::named{$_} = 1, delete $never_named{$_} for @names;
    my %values = map { &{$_}() => 1 } @names;
    return sort { $a <=> $b } keys %values;
}
our %named;

sub content { open my $f, '<:raw', "$D/$_[0]" or die "$_[0]\n"; local $/; return <$f> }

# What callbacks call, and all that they were told: a pool, or secret, comes and goes afterwards.
sub hear { push @heard, join ' ', @_ }
sub heard {
    my $uuid = '77777777-0000-4000-8000-0000000000ff';
    my $ended = 0;
    my $told = sub { my (undef, $thing, $event) = @_; $ended = 1 if $thing->get_uuid_string() eq $uuid && $event == 1 };
    my $of_secrets = $label eq 'secrets';
    my $id = $of_secrets ? $conn->secret_event_register_any(undef, Sys::Virt::Secret::EVENT_ID_LIFECYCLE, $told)
        : $conn->storage_pool_event_register_any(undef, Sys::Virt::StoragePool::EVENT_ID_LIFECYCLE, $told);
    if ($of_secrets) {
        $conn->define_secret("<secret><uuid>$uuid</uuid></secret>")->undefine();
    } else {
        $conn->define_storage_pool("<pool type='dir'><name>mark</name><uuid>$uuid</uuid><target><path>$D/mark</path></target></pool>")->undefine();
    }
    alarm 60;                                  # ends all: nothing is heard
    Sys::Virt::Event::run_default() until $ended;
    alarm 0;
    $of_secrets ? $conn->secret_event_deregister_any($id) : $conn->storage_pool_event_deregister_any($id);
    my @told = grep { !/mark|\Q$uuid/ } @heard;
    @heard = ();
    return @told;
}

# Runs the event loop until a condition holds.
sub until_true { my $f = shift; alarm 60; Sys::Virt::Event::run_default() until $f->(); alarm 0; return 1 }

sub statement {
    my $code = shift;
    my @values = eval "no strict; no warnings; package main; $code";
    die $@ if $@;
    return @values;
}

$| = 1;
$D = shift;
Sys::Virt::Event::register_default();
for my $file (@ARGV) {
    ($label) = $file =~ /(\w+)\.walk$/;
    my $uri = $label eq 'secrets' && $ENV{MODVIRT_SECRETS_URI} || $ENV{LIBVIRT_DEFAULT_URI};
    $conn = Sys::Virt->new(uri => $uri);
    $ro = Sys::Virt->new(uri => "$uri-ro", readonly => 1);
    open my $f, '<', $file or die "$file: $!";
    while (my $line = <$f>) {
        chomp $line;
        next if $line eq '' || $line =~ /^#/;
        delete $never_named{$_} for map { "Sys::Virt::$_" } $line =~ /\b(?:Sys::Virt::)?(\w+::[A-Z_0-9]+)\b/g;
        if ($line =~ s/^! //) {
            statement($line);
        } elsif ($line =~ /^(\$\w+): (.*)/) {
            my ($thing, $calls) = ($1, $2);
            question("$thing->$_", sub { statement("$thing->$_") }) for split /; /, $calls;
        } else {
            question($line, sub { statement($line) });
        }
    }
}
print "### end never called\n", map({ "$_\n" } sort keys %never_called), "=> \n";
print "### end never named\n", map({ "$_\n" } sort keys %never_named), "=> \n";
