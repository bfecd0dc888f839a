# frozen_string_literal: true

module CurcLlm
  # Values and numbers as people read them.
  module Wording
    MOST_QUOTED = 60 # characters of a value that a sentence repeats
    LINE = 76 # characters
    INVISIBLE = /[\p{Cf}\p{Co}\p{Cn}]/.freeze # such as those that turn the writing's direction

    module_function

    # A value that a person (or an attacker) sent, safe to repeat: quoted, on one line, never long.
    #
    #   quote("a\nb") # => '"a\nb"'
    def quote(value)
      text = value.is_a?(String) ? value.dup.force_encoding(Encoding::UTF_8).scrub('?') : value.inspect
      text = "#{text[0, MOST_QUOTED]}…" if text.length > MOST_QUOTED
      text.inspect.gsub(INVISIBLE) { |char| format('\\u%04X', char.ord) }
    end

    #   count(1, 'hour') # => "1 hour"; count(24.0, 'hour') # => "24 hours"
    def count(amount, word)
      "#{number(amount)} #{word}#{'s' unless amount == 1}"
    end

    #   number(2048) # => "2,048"; number(4.0) # => "4"
    def number(value)
      whole, fraction = value.to_s.split('.')
      grouped = whole.gsub(/(\d)(?=(\d{3})+\z)/, '\1,')
      fraction.nil? || fraction == '0' ? grouped : "#{grouped}.#{fraction}"
    end

    #   list(%w[a b c]) # => "a, b or c"
    def list(words, last = 'or')
      words.length < 2 ? words.join : "#{words[0..-2].join(', ')} #{last} #{words[-1]}"
    end

    # Lines of few words: the portal shows what is raised in a <pre>, where a long line would run out of sight.
    def wrap(text)
      text.gsub(/(.{1,#{LINE}})(?: +|\z)/o, "\\1\n").chomp
    end

    # The known words nearest to one that isn't known, by letters to be changed; at most three.
    def nearest(word, known)
      plain = word.to_s.scrub('?').downcase[0, MOST_QUOTED]
      near = known.map { |name| [distance(plain, name.downcase), name] }
      near.select { |far, name| far <= [name.length / 2, 1].max }.min_by(3) { |far, name| [far, name] }.map(&:last)
    end

    # Letters to add, drop or change (Levenshtein).
    def distance(left, right)
      row = (0..right.length).to_a
      left.each_char.with_index(1) do |char, at|
        diagonal, row[0] = row[0], at
        right.each_char.with_index(1) do |other, to|
          diagonal, row[to] = row[to], [row[to] + 1, row[to - 1] + 1, diagonal + (char == other ? 0 : 1)].min
        end
      end
      row[-1]
    end
  end
end
