import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import org.mobilebertlite.core.*;

/** An app that is obfuscated: tokens of a text by VOCABULARY, and, with MODEL, what the file says of itself. */
public class Consumer {
    public static void main(String[] words) throws Exception {
        Vocabulary vocabulary = Vocabulary.Companion.parse(ByteBuffer.wrap(Files.readAllBytes(Paths.get(words[0]))));
        for (Behavior behavior : Behavior.values()) {
            Tokenizer tokenizer = new Tokenizer(vocabulary, TokenizerSettings.Companion.of(true), behavior);
            System.out.println(Arrays.toString(tokenizer.encode("Wér wrote it? [SEP] 漢字").getIds()));
        }
        if (words.length > 1) {
            Outcome<ModelFile> read = ModelFile.Companion.read(ByteBuffer.wrap(Files.readAllBytes(Paths.get(words[1]))));
            ModelFile file = ((Outcome.Success<ModelFile>) read).getValue();
            System.out.println(file.getTask() + " " + file.getSignatures() + " " + file.getVocabulary().getWords().size());
        }
    }
}
